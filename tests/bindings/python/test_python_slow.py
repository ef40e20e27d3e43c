# SPDX-License-Identifier: Apache-2.0
"""What takes longer: a thousand lives of a detector, memory errors under the sanitizer, real data, the notebooks."""
import os
import pathlib
import resource
import subprocess
import sys

import numpy as np
import pytest

import physad

SOURCE = pathlib.Path(os.environ.get("PHYSAD_SOURCE", pathlib.Path(__file__).resolve().parents[3]))
OPTIONS = {"weights": "random:1", "input": 64, "alpha": 0.3}


def test_a_thousand_lives(rad, tmp_path):
    """Create, score, close: the library's memory comes back to nothing, the process's does not grow."""
    physad.Detector("patchcore", **OPTIONS).fit(rad).save(tmp_path / "m.physad")
    photo = rad.test.read(0).array
    context = physad.Context(threads=1)

    def life():
        with physad.load(tmp_path / "m.physad", context=context) as detector, detector.score(photo) as result:
            assert result.map.shape == (64, 64)

    curve = []
    for i in range(1000):
        life()
        assert context.memory_used == 0
        if i % 100 == 99:
            curve.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert curve[-1] - curve[1] < 8192, curve  # KiB, over 800 lives


def test_under_the_address_sanitizer(tmp_path):
    """The other tests once more, in a build whose memory accesses are checked."""
    folder = os.environ.get("PHYSAD_ASAN_BUILD")
    if not folder:
        pytest.skip("PHYSAD_ASAN_BUILD names no build with -Db_sanitize=address")
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    tests = [str(p) for p in sorted(pathlib.Path(__file__).parent.glob("test_python_*.py")) if p.name != pathlib.Path(__file__).name]
    env = {**os.environ, "LD_PRELOAD": runtime, "PYTHONPATH": os.path.join(folder, "bindings/python"), "PYTHONMALLOC": "malloc",
           "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1"}
    env.pop("PHYSAD_ASAN_BUILD")
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "not stay_flat",
                           *tests], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]


def test_ten_lines_on_real_photos(data):
    tiles = physad.Dataset(data + "/magnetic-tile")
    detector = physad.Detector("patchcore", weights="random:1", input=96, coreset_ratio=0.02, alpha=0.25).fit(tiles.train[:80])
    results = detector.score([sample.file for sample in tiles.test[::40]])
    assert all(np.isfinite(r.score) for r in results)
    assert detector.threshold.groups > 0


@pytest.mark.parametrize("name", ["quick_start", "compare_methods"])
def test_notebooks(name, tmp_path):
    """The cells one after the other, with what each shows at its end."""
    import ast
    import json
    book = json.loads((SOURCE / "examples" / (name + ".ipynb")).read_text())
    assert book["nbformat"] == 4 and all(not cell.get("outputs") for cell in book["cells"])
    program = []
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]))
            last = tree.body[-1]
            if isinstance(last, ast.Expr):  # what Jupyter would show
                tree.body[-1] = ast.parse(f"_show({ast.unparse(last.value)})").body[0]
            program.append(ast.unparse(tree))
    (tmp_path / "book.py").write_text(
        "def _show(x):\n"
        "    for how in ('_repr_html_', '_repr_png_'):\n"
        "        if hasattr(x, how):\n"
        "            assert getattr(x, how)()\n"
        "    assert repr(x)\n\n" + "\n\n".join(program) + "\nprint('all cells ran')\n")
    done = subprocess.run([sys.executable, str(tmp_path / "book.py")], capture_output=True, text=True,
                          env={**os.environ, "PHYSAD_NOTEBOOK_WEIGHTS": "random:1"})
    assert done.returncode == 0 and done.stdout.endswith("all cells ran\n"), done.stdout[-2000:] + done.stderr[-4000:]


def test_example():
    done = subprocess.run([sys.executable, str(SOURCE / "examples/line.py")], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.endswith("2 of 8 rejected\n"), done.stdout + done.stderr
