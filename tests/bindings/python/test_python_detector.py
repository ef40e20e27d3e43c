# SPDX-License-Identifier: Apache-2.0
"""Detectors: fit, score, explain, keep; and scikit-learn's way."""
import copy
import json
import os
import pickle
import shutil
import subprocess
import threading

import numpy as np
import pytest

import physad

OPTIONS = {"weights": "random:1", "input": 96, "alpha": 0.3}


def make(name="patchcore", **more):
    return physad.Detector(name, **{**OPTIONS, **more})


@pytest.fixture(scope="module")
def fitted(rad):
    return make().fit(rad)


def test_options_come_from_the_table():
    table = physad.method("patchcore").options
    assert table["coreset_ratio"].default == 0.1 and table["coreset_ratio"].type is float
    assert table["keep_features"].type is bool and table["preset"].choices
    for name in physad.methods():
        described = physad.method(name)
        assert described.title and described.options
        if described.input == "image" and described.supervision == "unsupervised":
            detector = physad.Detector(name)
            values = detector.options
            assert set(values) == set(described.options)
            assert not detector.is_fitted and name in repr(detector)
    detector = make(coreset_ratio=0.25, keep_features=True)
    assert detector.options["coreset_ratio"] == 0.25 and detector.options["keep_features"] is True


def test_score(fitted, rad):
    result = fitted.score(rad.test.read(0))
    height, width = rad.test.read(0).shape[:2]
    assert result.map.shape == (height, width) and result.map.dtype == np.float32
    assert result.is_anomalous is (result.score > result.threshold)
    assert 0 < result.p_value <= 1 and float(result) == result.score
    near = result.nearest(5, 7)
    assert near.path in fitted.training and near.distance >= 0 and os.path.exists(near.file)
    assert result.input_map.ndim == 2
    out = np.empty_like(result.map)
    assert result.map_into(out) is out and np.array_equal(out, result.map, equal_nan=True)
    with pytest.raises(physad.ArgumentError):
        result.nearest(-1, 0)
    with pytest.raises(physad.ShapeError):
        result.map_into(np.empty((3, 3), np.float32))


def test_regions_and_types(fitted, rad, tmp_path):
    bad = [i for i, s in enumerate(rad.test) if s.label == 1][:2]
    regions = fitted.score(rad.test[bad[0]].file).regions()
    first = regions[0]
    assert len(regions) >= 1 and regions[-1].peak <= first.peak and first.peak > regions.level
    assert first.left <= first.peak_x < first.right and first.top <= first.peak_y < first.bottom
    assert sum(first.kinds.values()) == pytest.approx(1) and first.kind == max(first.kinds, key=first.kinds.get)
    with pytest.raises(IndexError):
        regions[len(regions)]
    result = fitted.score(rad.test.read(bad[0]))
    assert result.regions()[0] == first and len(result.regions(float("inf"))) == 0
    with pytest.raises(physad.ShapeError):
        result.regions(photo=np.zeros((3, 3), np.uint8))
    types = physad.Types()
    assert types.names == ["hole", "line", "tint", "deformation"] and types.tell(regions) == pytest.approx(first.kinds)
    types.add("scar", regions)
    types.add("dent", fitted.score(rad.test[bad[1]].file).regions())
    assert types.names == ["scar", "dent"] and types.tell(regions)["scar"] > 0.5
    with pytest.raises(physad.ArgumentError):
        types.add("nothing", result.regions(float("inf")))
    for name, index in (("a", bad[0]), ("b", bad[1])):
        (tmp_path / name).mkdir()
        shutil.copy(rad.test[index].file, tmp_path / name)
    folder = physad.Types()
    folder.add_folder(fitted, tmp_path)
    assert folder.names == ["a", "b"] and folder.tell(regions)["a"] == pytest.approx(types.tell(regions)["scar"])


def test_every_way_in_gives_the_same_bits(fitted, rad):
    test = rad.test
    want = [fitted.score(sample.file).score for sample in test]
    arrays = [test.read(i).array for i in range(len(test))]
    assert [r.score for r in fitted.score(test)] == want
    assert [r.score for r in fitted.score(arrays)] == want
    assert [r.score for r in fitted.score(np.stack(arrays))] == want
    assert [fitted.score(physad.Image(a)).score for a in arrays] == want
    assert list(-fitted.score_samples([s.file for s in test])) == want
    assert [r.score for r in fitted.scores(iter(arrays))] == want


def test_scikit_learns_way(fitted, rad):
    limit = fitted.threshold
    assert 0 < limit.alpha < 1 and limit.groups > 0 and not limit.given and float(limit) == limit.value
    numbers = fitted.score_samples(rad.test)
    assert np.array_equal(fitted.decision_function(rad.test), limit.value + numbers)
    assert np.array_equal(fitted.predict(rad.test), np.where(-numbers > limit.value, -1, 1))
    params = fitted.get_params()
    assert params == {"method": "patchcore", **OPTIONS}
    other = make().set_params(coreset_ratio=0.5)
    assert other.options["coreset_ratio"] == 0.5 and other.get_params()["coreset_ratio"] == 0.5
    with pytest.raises(physad.ArgumentError):
        other.set_params(coreset=0.5)
    assert "coreset" not in other.get_params()


def test_scikit_learn_itself(rad):
    base = pytest.importorskip("sklearn.base")
    pipeline = pytest.importorskip("sklearn.pipeline")
    detector = make()
    again = base.clone(detector)
    assert again is not detector and again.get_params() == detector.get_params() and not again.is_fitted
    photos = [rad.train.read(i).array for i in range(len(rad.train))]
    line = pipeline.Pipeline([("detect", make())]).fit(photos)
    assert set(line.predict(photos[:3])) <= {-1, 1}
    assert line.score_samples(photos[:3]).shape == (3,)


def test_save_load_pickle(fitted, rad, tmp_path):
    want = fitted.score(rad.test[0].file)
    fitted.save(tmp_path / "m.physad")
    for again in (physad.load(tmp_path / "m.physad"), pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        got = again.score(rad.test[0].file)
        assert got.score == want.score and got.threshold == want.threshold and np.array_equal(got.map, want.map, equal_nan=True)
    loaded = physad.load(tmp_path / "m.physad")
    assert loaded.options == fitted.options and loaded.is_fitted and loaded.method == "patchcore"
    make().fit(rad).save(tmp_path / "n.physad")  # one fit, one file
    assert (tmp_path / "m.physad").read_bytes() == (tmp_path / "n.physad").read_bytes()
    tensors = physad.Tensors(tmp_path / "m.physad")
    assert len(tensors) and tensors.metadata
    unfitted = pickle.loads(pickle.dumps(make(coreset_ratio=0.3)))
    assert not unfitted.is_fitted and unfitted.options["coreset_ratio"] == 0.3


def test_the_command_gives_the_same_bits(fitted, rad, tmp_path):
    command = os.environ.get("PHYSAD_COMMAND")
    if not command:
        pytest.skip("the command is not built")
    if "predict" not in subprocess.run([command, "--help"], capture_output=True, text=True).stdout:
        pytest.skip("this command does not predict")
    fitted.save(tmp_path / "m.physad")
    done = subprocess.run([command, "predict", str(tmp_path / "m.physad"), rad.test[0].file, "--json", "-"], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["samples"][0]["score"] == fitted.score(rad.test[0].file).score


def test_fit_again_and_failed_fits(rad, tmp_path):
    detector = make().fit(rad)
    first = detector.score(rad.test[0].file).score
    with pytest.raises(RuntimeError, match="stop"):
        detector.fit(rad, progress=lambda *a: (_ for _ in ()).throw(RuntimeError("stop")))
    assert detector.score(rad.test[0].file).score == first  # as it was
    with pytest.raises(physad.Error):
        detector.fit([str(tmp_path / "none.png")])
    assert detector.fit(rad).score(rad.test[0].file).score == first
    files = [s.file for s in rad.train]
    assert make().fit(files).is_fitted
    assert make().fit(np.stack([rad.train.read(i).array for i in range(24)])).is_fitted


def test_progress(rad):
    seen = []
    make().fit(rad, progress=lambda stage, done, total, seconds: seen.append((stage, done, total)))
    assert seen and all(done >= 0 for _, done, _ in seen)
    make().fit(rad, progress=True)


def test_what_cannot_be_used(rad, tmp_path):
    files = [s.file for s in rad.train]
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    with pytest.raises(physad.FormatError, match="bad.png"):
        make().fit([*files, str(tmp_path / "bad.png")])
    detector = make().fit([*files, str(tmp_path / "bad.png")], on_error="skip", batch=3)
    (path, reason), = detector.skipped
    assert path.endswith("bad.png") and "bad.png" in reason and make().fit(files).skipped == []
    assert detector.score(rad.test[0].file).score == make().fit(files).score(rad.test[0].file).score
    with pytest.raises(ValueError, match="skip"):
        make().fit(files, on_error="go on")
    with pytest.raises(physad.ArgumentError, match="batch"):
        make().fit(files, batch=-1)


def test_loading_otherwise(fitted, rad, tmp_path):
    fitted.save(tmp_path / "m.physad")
    other = physad.load(tmp_path / "m.physad", precision="bf16")
    assert other.threshold.given and other.score(rad.test[0].file).score == pytest.approx(fitted.score(rad.test[0].file).score, rel=0.2)
    with pytest.raises(physad.ArgumentError, match="precision"):
        physad.load(tmp_path / "m.physad", precision="f16")
    with pytest.raises(physad.ArgumentError, match="weights"):
        physad.load(tmp_path / "m.physad", weights="w.safetensors")


def test_threads(fitted, rad):
    photos = [rad.test.read(i).array for i in range(4)]
    want = [fitted.score(p).score for p in photos]
    got = [None] * 4

    def work(i):
        got[i] = [fitted.score(photos[i]).score for _ in range(5)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [[w] * 5 for w in want]


def test_changing_while_scoring(rad):
    """Scoring and setting the threshold or fitting at once: each waits for the other, nothing crashes."""
    detector = make().fit(rad)
    photo = rad.test.read(0).array
    stop = threading.Event()
    failures = []

    def work():
        while not stop.is_set():
            try:
                detector.score(photo)
            except Exception as error:  # noqa: BLE001
                failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    for i in range(20):
        detector.threshold = float(i)
    detector.fit(rad)
    stop.set()
    thread.join()
    assert not failures


def test_closed(rad):
    detector = make().fit(rad)
    result = detector.score(rad.test[0].file)
    detector.close()
    for call in (lambda: detector.score(rad.test[0].file), lambda: detector.fit(rad), lambda: detector.threshold,
                 lambda: detector.options, lambda: detector.save("x"), lambda: detector.predict([rad.test[0].file])):
        with pytest.raises(ValueError, match="closed"):
            call()
    assert result.map.shape == (64, 64)  # results live on
    result.close()
    with pytest.raises(ValueError, match="closed"):
        result.score


def test_threshold_by_hand(fitted, rad):
    detector = pickle.loads(pickle.dumps(fitted))
    detector.threshold = -1.0
    assert detector.score(rad.test[0].file).is_anomalous is True and detector.threshold.given
    with pytest.raises(physad.ArgumentError):
        detector.threshold = float("nan")


def test_without_calibration(rad):
    detector = physad.Detector("patchcore", weights="random:1", input=96, calibration=0).fit(rad)
    assert detector.score(rad.test[0].file).is_anomalous is None
    with pytest.raises(physad.StateError):
        detector.predict([rad.test[0].file])


def test_add_and_remove(rad):
    detector = make(keep_features=True, coreset_ratio=1.0).fit(rad.train[:18])
    count = len(detector.training)
    detector.add(rad.train[18:20])
    assert len(detector.training) == count + 2
    detector.remove(detector.training[-1])
    assert len(detector.training) == count + 1
    with pytest.raises(physad.ArgumentError):
        detector.remove("none")
    with pytest.raises(physad.UnsupportedError):
        make().fit(rad).add(rad.train[:1])


def test_rich_display(fitted, rad):
    result = fitted.score(rad.test[0].file)
    assert physad.Image.decode(result._repr_png_()).shape == (64, 2 * 64 + 8, 3)
    page = result._repr_html_()
    assert page.count("<img") == 2 and "nearest normal patch" in page
    assert "coreset_ratio" in fitted._repr_html_() and "patchcore" in repr(fitted)
    assert "score=" in repr(result)
    mask = rad.test[0].mask()
    assert result.overlay(mask).dtype == np.uint8


def test_the_wrapper_costs_little(fitted):
    """A call that the library refuses at once is all wrapper: less than 2 % of one that scores (bench/python_overhead.py measures the
    difference itself)."""
    import time
    photo, unfitted = np.zeros((96, 96, 3), np.uint8), make()

    def fastest(call, rounds):
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        return min(times)

    def refused():
        with pytest.raises(physad.StateError):
            unfitted.score(photo)

    assert fastest(refused, 200) < 0.02 * fastest(lambda: fitted.score(photo), 10)


def test_nothing_is_copied_for_scoring(fitted, tmp_path):
    """What the library and Python allocate for a call does not grow with the photo, while a copy shows."""
    import tracemalloc
    fitted.save(tmp_path / "m.physad")

    def allocated(photo, **more):
        """Most bytes that the library held at once, and those that Python and NumPy did, beyond what they had before."""
        context = physad.Context(threads=1)
        detector = physad.load(tmp_path / "m.physad", context=context)
        tracemalloc.start()
        try:
            detector.score(photo, **more).close()
            return context.memory_peak, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    for dtype, side in ((np.uint8, 2048), (np.float32, 1024)):
        small, large = np.zeros((128, 128, 3), dtype), np.zeros((side, side, 3), dtype)
        assert large.nbytes == 12 << 20
        little, much = allocated(small), allocated(large)
        assert much[0] - little[0] < 1 << 16 and much[1] < 1 << 16, (dtype, little, much)
        strided = np.zeros((side, 2 * side, 3), dtype)[::-1, ::2]  # nor for other strides
        assert allocated(strided)[0] - little[0] < 1 << 16 and allocated(strided)[1] < 1 << 16
    assert allocated(np.zeros((1024, 1024, 3), np.float64), copy=True)[1] > 12 << 20  # this one is asked for


def test_videos(fitted, tmp_path):
    physad.synth_phys(tmp_path, categories=physad.synth_phys_categories()[0], train_videos=1, test_videos=1, defect_videos=-1, frames=16,
                      width=64, height=64, frames_only=True)
    data = physad.Dataset(tmp_path)
    with physad.Video(data.test[0].file) as video:
        frames = [fitted.score(frame.pixels).score for frame in video]
        for pool, want in (("top", max(frames)), ("max", max(frames)), ("mean", np.mean(frames))):
            result = fitted.score(video, pool=pool)
            assert list(result.frames) == frames and result.score == pytest.approx(want, rel=1e-12)
            assert result.is_anomalous is None  # a threshold of photos promises nothing on videos
        with pytest.raises(ValueError, match="'top'|top, max"):
            fitted.score(video, pool="median")
        photo = np.zeros((64, 64, 3), np.uint8)
        mixed = fitted.score([photo, video, photo])
        assert [r.frames is None for r in mixed] == [True, False, True] and mixed[0].score == mixed[2].score
        with pytest.raises(physad.UnsupportedError, match="frames"):
            mixed[1].overlay()
    assert mixed[1]._repr_png_() is None and "score=" in mixed[1]._repr_html_()
    assert [r.score for r in fitted.score(data.test)] == [r.score for r in fitted.score([physad.Video(s.file) for s in data.test])]
    moving = physad.Detector("motion-energy").fit(data)
    assert moving.score(data.test[0].file).score == moving.score(physad.Video(data.test[0].file)).score
    assert moving.score(data.test[0].file).verdict == ""
    with pytest.raises(physad.UnsupportedError):
        moving.score(data.test[0].file).worst


def test_worst_moment_of_a_video(tmp_path):
    physad.synth_phys(tmp_path, categories="pendulum", train_videos=4, test_videos=1, defect_videos=-1, frames=48)
    data = physad.Dataset(tmp_path)
    result = physad.Detector("motion-bank").fit(data).score(data.test[0].file)
    worst = result.worst
    assert isinstance(result.verdict, str) and 0 <= worst.frame < len(result.frames) and worst.distance > 0
    assert worst.path in [s.path for s in data.train] and worst.near_frame >= 0
    with pytest.raises(physad.UnsupportedError, match="maps of frames"):
        result.frame_map(0)
    with pytest.raises(IndexError, match="frame 48 of 48"):
        result.frame_map(48)


def test_streams_give_what_files_give(tmp_path):
    physad.synth_phys(tmp_path, categories="pendulum", train_videos=4, test_videos=1, defect_videos=-1, frames=24)
    data = physad.Dataset(tmp_path)
    detector = physad.Detector("motion-bank").fit(data)
    whole = detector.score(data.test[0].file)
    stream = detector.stream(frame_rate=30)
    detector.close()
    with pytest.raises(ValueError, match="closed"):
        stream.push(np.zeros((48, 64), np.uint8))
    detector = physad.Detector("motion-bank").fit(data)
    stream = detector.stream()
    for take in range(2):
        found = []
        for frame in physad.Video(data.test[0].file, channels="gray"):
            found += stream.push(frame) if take == 0 else stream.push(frame, frame.seconds)
        assert stream.latency > 0 and [f.frame for f in found] == list(range(len(found)))
        end = stream.end()
        assert [f.score for f in found] + list(end.frames) == list(whole.frames)
        assert end.score == whole.score and end.verdict == whole.verdict and end.worst == whole.worst
    with pytest.raises(physad.ShapeError, match="no frame came"):
        stream.end()
    with pytest.raises(physad.DtypeError):
        stream.push(np.zeros((48, 64), np.float32))
    with pytest.raises(ValueError, match="seconds is"):
        stream.push(np.zeros((48, 64), np.uint8), float("nan"))
    with pytest.raises(physad.UnsupportedError):
        physad.Detector("motion-energy").fit(data).stream()
    with pytest.raises(physad.StateError):
        physad.Detector("motion-bank").stream()
    assert "Stream" in repr(stream)
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        stream.push(np.zeros((48, 64), np.uint8))


def test_rules_are_read_and_edited(tmp_path):
    physad.synth_phys(tmp_path, categories="pendulum", train_videos=4, test_videos=1, defect_videos=-1, frames=24)
    data = physad.Dataset(tmp_path)
    detector = physad.Detector("motion-bank", mode="episodes").fit(data)
    rules = detector.rules
    duration = next(r for r in rules if r["rule"] == "duration")
    assert duration["low"] < duration["high"] and duration["used"] in (True, False)
    before = detector.score(data.test[0].file)
    detector.set_rules([{"rule": "duration", "low": 4, "high": 5, "used": True}])
    after = detector.score(data.test[0].file)
    assert after.score > before.score and "over too early" in after.verdict
    with pytest.raises(physad.FormatError):
        detector.set_rules([{"rule": "none"}])
    detector.set_rules(rules)
    assert detector.rules == rules
    with pytest.raises(physad.UnsupportedError, match="no rules"):
        physad.Detector("motion-energy").fit(data).rules
    with pytest.raises(physad.StateError):
        physad.Detector("motion-bank").rules


def test_maps_of_frames(tmp_path):
    physad.synth_phys(tmp_path, categories="pendulum", train_videos=1, test_videos=1, defect_videos=-1, frames=16, width=64, height=48)
    data = physad.Dataset(tmp_path)
    options = dict(size=32, width=4, epochs=1, epoch_clips=4, batch=2, calibration=0)
    result = physad.Detector("mnad-recon", **options).fit(data).score(data.test[0].file)
    maps = [result.frame_map(i) for i in range(16)]
    assert all(m.shape == (32, 32) and m.dtype == np.float32 and np.isfinite(m).all() for m in maps)
    assert (result.frame_map(-1) == maps[15]).all() and (maps[0] != maps[15]).any()
    with pytest.raises(IndexError):
        result.frame_map(16)


def test_page_of_an_evaluation(rad, tmp_path):
    results = physad.evaluate(rad, "patchcore", replicates=0, gallery=2, gallery_side=48, **OPTIONS)
    page = results.to_html(title="bowls & more")
    assert page.startswith("<!doctype html>") and "<title>bowls &amp; more</title>" in page and "data:image/jpeg" in page
    results.to_html(tmp_path / "one.html", title="bowls & more")
    assert [p.name for p in tmp_path.iterdir()] == ["one.html"] and (tmp_path / "one.html").read_text() == page
    results.to_html(tmp_path / "a/folder")
    assert {p.name for p in (tmp_path / "a/folder").iterdir()} == {"report.html", "results.json", "results.csv"}
    assert (tmp_path / "a/folder/results.json").read_text() == results.json
    assert "data:image" not in physad.evaluate(rad, "patchcore", replicates=0, gallery=0, **OPTIONS).to_html()
    with pytest.raises(OSError):
        results.to_html(tmp_path / "none/there.html")
    with pytest.raises(physad.ArgumentError, match="gallery"):
        physad.evaluate(rad, "patchcore", gallery=-1)
    with pytest.raises(physad.StateError, match="pickled"):
        pickle.loads(pickle.dumps(results)).to_html()


def test_evaluate(rad):
    results = physad.evaluate(rad, ["patchcore", "padim"], replicates=20, **OPTIONS)
    broken = results.breakdowns  # synth_rad writes an attributes.json
    assert {b["method"] for b in broken} == {"patchcore", "padim"}
    material = [b for b in broken if b["attribute"] == "material" and b["method"] == "padim"]
    assert len(material) == 1 and material[0]["value"] == "glossy"
    assert np.isclose(material[0]["image_auroc"], results[1]["image_auroc"]) and material[0]["n_anomalous"] > 0
    assert {b["value"] for b in broken if b["attribute"] == "defect_size"} <= {"small", "medium", "large"}
    assert len(results) == 2 and {r["method"] for r in results} == {"patchcore", "padim"}
    assert 0 <= results[0]["image_auroc"] <= 1
    assert results.csv.count("\n") == 3 and json.loads(results.json) == results.data
    again = pickle.loads(pickle.dumps(results))
    assert again.data == results.data and len(again) == 2
    difference = again.compare("patchcore", "padim", replicates=50)
    assert np.isclose(difference.value, results[0]["image_auroc"] - results[1]["image_auroc"])
    assert difference.lower <= difference.value <= difference.upper
    assert results.compare("padim", "padim", replicates=20).value == 0 and "video_auroc" not in repr(results)
    with pytest.raises(physad.ArgumentError, match="'patchcore' on 'b"):
        results.compare("patchcore", "cflow")
    rows = [{"method": "m", "category": c, "dataset": "d", "image_auroc": None, "video_auroc": 0.5} for c in "ab"]
    videos = physad._evaluate._Kept(json.dumps({"results": rows, "mean": {}}), "")  # videos have figures of their own
    assert repr(videos).splitlines()[0] == "m a: video_auroc=0.5000" and "<td>0.5000</td>" in videos._repr_html_()
    with pytest.raises(physad.ArgumentError, match="one of a, b"):
        videos.compare("m", "m")
    metrics = results.metrics(0)
    results.close()
    assert metrics["auroc"].value == again[0]["image_auroc"]
    assert "<table" in again._repr_html_() and "patchcore" in repr(again)


@pytest.fixture(scope="module")
def jpegs(rad, tmp_path_factory):
    """The drawn photos as JPEG files, four times as large each way."""
    folder = tmp_path_factory.mktemp("jpegs")
    for split, part in (("train", rad.train), ("test", rad.test)):
        (folder / split / "good").mkdir(parents=True)
        for i in range(len(part)):
            physad.write_image(folder / split / "good" / f"{i:02}.jpg", np.repeat(np.repeat(part.read(i).array, 4, 0), 4, 1)[:-3])
    return physad.Dataset(folder)


def test_scaled_jpegs_give_the_same_bits_every_way(jpegs, tmp_path):
    """One option, kept in the model: whoever reads the files reads them as the fit did."""
    alone = {**OPTIONS, "calibration": 0, "calibrate": "none"}  # nothing that goes by the photos' names
    detector, plain = make(jpeg_scale=4, **alone).fit(jpegs), make(**alone).fit(jpegs)
    small = [physad.Image.read(s.file, scale=4).array for s in jpegs.train]
    by_arrays = make(**alone).fit(small)
    test = jpegs.test
    want = [by_arrays.score(physad.Image.read(s.file, scale=4)).score for s in test]
    assert [r.score for r in by_arrays.score([test.read(i, scale=4) for i in range(len(test))])] == want
    assert [detector.score(s.file).score for s in test] == want
    assert [r.score for r in detector.score(test)] == want
    assert [r.score for r in detector.score([s.file for s in test])] == want
    assert want != [plain.score(s.file).score for s in test]
    height, width = jpegs.test.read(0).shape[:2]
    result = detector.score(test[0].file)
    assert result.shape == ((height + 3) // 4, (width + 3) // 4) != (height, width)
    assert result.overlay().shape == (result.shape[0], 2 * result.shape[1] + 8, 3)
    whole = physad.Image.read(test[0].file)
    assert detector.score(whole).shape == (height, width)  # in memory: as it is
    assert detector.score([whole])[0].overlay().shape[0] == height

    detector.save(tmp_path / "model")
    assert physad.load(tmp_path / "model").options["jpeg_scale"] == "4"
    command = os.environ.get("PHYSAD_COMMAND")
    if command:
        line = [command, "predict", tmp_path / "model", *(s.file for s in test), "--json", tmp_path / "out"]
        done = subprocess.run(line, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert [s["score"] for s in json.loads((tmp_path / "out").read_text())["samples"]] == want
    found = physad.evaluate(jpegs, "patchcore", jpeg_scale=4, **alone)[0]
    assert sorted(s["score"] for s in found["samples"]) == sorted(want)
