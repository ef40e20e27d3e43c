# SPDX-License-Identifier: Apache-2.0
"""Closing, threads, fork, signals: no crash, ever."""
import gc
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import physad


def everything(tmp_path):
    """One of each thing that can be closed, and a use of it."""
    physad.save_tensors(tmp_path / "t.safetensors", {"a": np.zeros(3, np.float32)})
    scores = physad.Scores()
    scores.extend([0.1, 0.9], [0, 1])
    metrics = scores.measure()
    yield physad.Context(), lambda x: x.threads
    yield physad.Image(np.zeros((4, 4), np.uint8)), lambda x: x.array
    yield physad.Dataset.from_arrays([np.zeros((4, 4), np.uint8)]), lambda x: x[0]
    yield physad.Transform(8), lambda x: x(np.zeros((4, 4), np.uint8))
    yield physad.Features(weights="random:1", size=32), lambda x: x(np.zeros((1, 32, 32, 3), np.float32))
    yield scores, lambda x: x.measure()
    yield physad.Pixels(), len
    yield metrics, lambda x: x["auroc"]
    yield physad.Tensors(tmp_path / "t.safetensors"), lambda x: x["a"]


def test_use_after_close(tmp_path):
    for thing, use in everything(tmp_path):
        use(thing)
        assert not thing.closed
        thing.close()
        thing.close()
        assert thing.closed and "closed" in repr(thing)
        with pytest.raises(ValueError, match="closed"):
            use(thing)
        with pytest.raises(ValueError, match="closed"):
            thing.__enter__()


def test_with_closes(tmp_path):
    for thing, _ in everything(tmp_path):
        with thing as entered:
            assert entered is thing
        assert thing.closed


def test_memory_comes_back():
    context = physad.Context()
    with physad.Features(weights="random:1", size=32, context=context) as features:
        features(np.zeros((1, 32, 32, 3), np.float32))
        assert context.memory_used > 0
    del features
    gc.collect()
    assert context.memory_used == 0


def test_cycles_stay_flat():
    context = physad.Context(threads=1)
    photo = np.zeros((32, 32, 3), np.uint8)

    def cycle():
        with physad.Transform(16, context=context) as transform:
            transform(photo)
        scores = physad.Scores(context=context)
        scores.add(1.0, 1, type="x", group="g")
        with pytest.raises(physad.Error):
            physad.Dataset.from_files(["x.nothing"], context=context)
        scores.close()

    for _ in range(20):
        cycle()
    import resource
    used, resident = context.memory_used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(1000):
        cycle()
    assert context.memory_used == used == 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident < 4096  # KiB


def test_wrong_handles():
    from physad import _physad
    context = _physad.context_new(None)
    transform = _physad.transform_new(context, None)
    for call in (lambda: _physad.transform_shape(context), lambda: _physad.transform_shape(1), lambda: _physad.context_threads(transform),
                 lambda: _physad.transform_shape("x"), lambda: _physad.dataset_count(transform)):
        with pytest.raises(TypeError, match="handle"):
            call()
    with pytest.raises(physad.ArgumentError):
        _physad.transform_shape(None)
    assert _physad.dataset_count(None) == 0


def test_threads_on_one_object(rng):
    features = physad.Features(weights="random:1", size=64, context=physad.Context(threads=1))
    images = rng.standard_normal((8, 64, 64, 3), dtype=np.float32)
    want = features(images)
    wrong = []

    def work():
        for i in range(8):
            if not np.array_equal(features(images[i:i + 1])[0], want[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_close_while_others_work(rng):
    """The memory must outlive the calls that run; later ones get a ValueError."""
    for _ in range(5):
        features = physad.Features(weights="random:1", size=64, context=physad.Context(threads=1))
        images = rng.standard_normal((4, 64, 64, 3), dtype=np.float32)
        seen = []

        def work(features=features, images=images, seen=seen):
            try:
                while True:
                    features(images)
            except ValueError as error:
                seen.append(str(error))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        features.close()
        for thread in threads:
            thread.join(20)
        assert len(seen) == 3 and all("closed" in text for text in seen)


def test_adding_from_threads():
    scores = physad.Scores()

    def work(start):
        for i in range(500):
            scores.add(float(start * 500 + i), i % 2)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(scores) == 2000
    want = physad.Metrics.of([float(i) for i in range(2000)], [i % 2 for i in range(2000)])
    assert scores.measure(replicates=0)["auroc"].value == want["auroc"].value


def test_two_merges_cannot_wait_for_each_other():
    first, second = physad.Scores(), physad.Scores()

    def work(a, b):
        for _ in range(8):
            a.merge(b)

    first.add(1.0, 1)
    second.add(0.0, 0)
    threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


def test_a_callback_that_comes_back(tmp_path):
    """A change of what the callback was called from is an error, not a deadlock."""
    dataset = physad.Dataset.from_arrays([np.zeros((8, 8), np.uint8)] * 4)
    seen = []

    def back(*_):
        with pytest.raises(physad.StateError, match="in use"):
            dataset.add(np.zeros((8, 8), np.uint8))
        seen.append(1)

    dataset.stats(progress=back)
    assert seen or len(dataset) == 4
    with dataset._gate.shared:
        with pytest.raises(physad.StateError, match="in use"):
            dataset.add(np.zeros((8, 8), np.uint8))
    assert len(dataset) == 4


def test_exceptions_of_the_callback(tmp_path):
    class Mine(Exception):
        pass

    def progress(stage, done, total, seconds):
        assert isinstance(stage, str) and done >= 0 and seconds >= 0
        raise Mine("from inside")

    with pytest.raises(Mine, match="from inside"):
        physad.synth_rad(tmp_path / "a", categories="bowl", train_views=3, test_views=-1, defects="", width=32, progress=progress)
    with pytest.raises(physad.CancelledError):
        physad.synth_rad(tmp_path / "b", categories="bowl", train_views=3, test_views=-1, defects="", width=32, progress=lambda *a: True)
    assert not list((tmp_path / "b").rglob("*.png"))
    with pytest.raises(TypeError, match="progress"):
        physad.synth_rad(tmp_path / "c", progress=3)


def test_cancel_and_resume(tmp_path):
    context = physad.Context()
    context.cancel()
    with pytest.raises(physad.CancelledError) as caught:
        physad.synth_rad(tmp_path / "a", categories="bowl", width=32, context=context)
    assert caught.value.status == "PHYSAD_ERR_CANCELLED"
    context.resume()
    physad.synth_rad(tmp_path / "a", categories="bowl", train_views=2, test_views=-1, defects="", width=32, context=context)


def run(code, **more):
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, **more)


def test_control_c_leaves_nothing(tmp_path):
    code = f"""
        import physad, threading, os, signal, time
        threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            physad.synth_rad({str(tmp_path / "x")!r}, width=256)
        except KeyboardInterrupt:
            print("interrupted", sum(len(f) for _, _, f in os.walk({str(tmp_path / "x")!r})))
    """
    start = time.monotonic()
    done = run(code)
    assert done.stdout == "interrupted 0\n", done
    assert time.monotonic() - start < 20


def test_fork_is_told_and_does_not_hang():
    done = run("""
        import os, sys, numpy as np, physad
        features = physad.Features(weights="random:1", size=32)
        images = np.zeros((1, 32, 32, 3), np.float32)
        features(images)
        pid = os.fork()
        if pid == 0:
            said = []
            for call in (lambda: features(images), lambda: physad.Context(), lambda: physad.Transform(8),
                         lambda: physad.synth_rad("nowhere")):
                try:
                    call()
                    said.append("no error")
                except physad.StateError as error:
                    said.append("state")
            sys.stdout.write(" ".join(said) + "\\n")
            sys.stdout.flush()
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        features(images)
        print("parent", os.WEXITSTATUS(status))
    """)
    assert done.stdout == "state state state state\nparent 0\n", done


def test_spawned_processes_work(tmp_path):
    program = tmp_path / "main.py"
    program.write_text(textwrap.dedent("""
        import multiprocessing
        import physad
        def count(dataset):
            return len(dataset), dataset[0].type
        if __name__ == "__main__":
            import numpy as np
            dataset = physad.Dataset.from_arrays([np.zeros((4, 4), np.uint8)] * 3)
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(count, [dataset]))
    """))
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[(3, 'good')]\n", done


def test_at_exit_with_everything_alive():
    done = run("""
        import threading, numpy as np, physad
        features = physad.Features(weights="random:1", size=64)
        images = np.zeros((64, 64, 64, 3), np.float32)
        threading.Thread(target=features, args=(images,), daemon=True).start()
    """)
    assert done.returncode == 0, done


def test_what_cannot_be_pickled_says_so():
    for thing in (physad.Features(weights="random:1", size=32), physad.Transform(8)):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(thing)


def test_context_pickles():
    context = pickle.loads(pickle.dumps(physad.Context(threads=3, seed=11)))
    assert (context.threads, context.seed) == (3, 11)


def test_sigint_in_a_thread_is_left_to_the_main_one():
    done = run("""
        import os, signal, threading, numpy as np, physad, tempfile
        def work():
            physad.synth_rad(tempfile.mkdtemp(), categories="bowl", train_views=6, test_views=-1, defects="", width=64)
            print("done", flush=True)
        thread = threading.Thread(target=work)
        thread.start()
        try:
            os.kill(os.getpid(), signal.SIGINT)
            thread.join()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        thread.join()
    """)
    assert done.stdout == "interrupted\ndone\n", done


assert os.name == "posix" and signal.SIGINT
