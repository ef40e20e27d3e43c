# SPDX-License-Identifier: Apache-2.0
"""What takes longer: a thousand lives of a detector, memory errors under the sanitizer, real data, the notebooks."""
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import venv

import pytest

import languages
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


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A virtual environment with nothing but what pip makes of a copy of the source; the folder that holds it."""
    folder = tmp_path_factory.mktemp("fresh")
    copy = folder / "source"
    done = subprocess.run(["git", "clone", "-q", str(SOURCE), str(copy)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"the source is no repository to clone: {done.stderr.strip()}")
    changed = subprocess.run(["git", "-C", str(SOURCE), "diff", "HEAD"], capture_output=True).stdout
    if changed:
        subprocess.run(["git", "-C", str(copy), "apply"], input=changed, check=True)
    venv.create(folder / "venv", with_pip=True)
    done = subprocess.run([str(folder / "venv/bin/pip"), "install", "-q", "--disable-pip-version-check", str(copy)],
                          capture_output=True, text=True, cwd=folder)
    if done.returncode != 0 and re.search("Could not find a version|Connection|Temporary failure", done.stderr):
        pytest.skip("pip reaches no packages: " + done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    shutil.rmtree(copy)
    return folder


def clean_environment():
    return {key: text for key, text in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")}


def test_what_a_wheel_holds(fresh):
    python = fresh / "venv/bin/python"
    code = "import os, physad; print(os.path.dirname(physad.__file__), physad.__version__, *physad.methods())"
    done = subprocess.run([str(python), "-W", "error", "-c", code], capture_output=True, text=True, cwd=fresh, env=clean_environment())
    assert done.returncode == 0, done.stderr
    place, version, *methods = done.stdout.split()
    assert place.startswith(str(fresh)) and version == physad.__version__ and methods == physad.methods()
    names = {path.relative_to(place).as_posix() for path in pathlib.Path(place).rglob("*")}
    assert {"py.typed", "_physad.pyi", "_bin/physad", "weights/weights-manifest.json"} <= names
    assert any(name.startswith("libphysad.so") for name in names)
    done = subprocess.run([str(fresh / "venv/bin/physad"), "info"], capture_output=True, text=True, cwd=fresh, env=clean_environment())
    assert done.returncode == 0 and physad.__version__ in done.stdout, done.stderr


def test_a_missing_system_library_is_named(fresh, tmp_path):
    """In a copy of the package whose library asks for a version of jansson that nobody has."""
    place = next((fresh / "venv").glob("lib/python*/site-packages/physad"))
    shutil.copytree(place, tmp_path / "physad")
    libraries = list((tmp_path / "physad").glob("libphysad.so*"))  # a wheel holds no links
    assert libraries
    for library in libraries:
        content = library.read_bytes()
        assert b"libjansson.so.4" in content
        library.write_bytes(content.replace(b"libjansson.so.4", b"libjansson.so.9"))
    done = subprocess.run([str(fresh / "venv/bin/python"), "-c", "import physad"], capture_output=True, text=True, cwd=tmp_path,
                          env={**clean_environment(), "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1 and "ImportError: libjansson.so.9: cannot open" in done.stderr, done.stderr
    assert "apt-get install libjansson4" in done.stderr


def test_quick_start_on_real_photos(fresh, data, tmp_path):
    """Python and the command out of the wheel, Lua out of the build: the same bits."""
    lua = os.environ.get("PHYSAD_LUA")
    outside = clean_environment()
    for key in set(os.environ) - set(outside):
        outside[key] = ""
    found = languages.compare(os.path.join(data, "magnetic-tile"), tmp_path, ["coreset_ratio=0.02", "alpha=0.1", "input=160"],
                              python=fresh / "venv/bin/python", command=fresh / "venv/bin/physad", lua=(lua, {}) if lua else None,
                              env=outside)
    assert len(found) == len(physad.Dataset(data + "/magnetic-tile").test)


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


@pytest.mark.parametrize("name", ["line.py", "line.lua"])
def test_examples(name, tmp_path):
    """Those in C and C++ are run by tests/installed."""
    program = sys.executable if name.endswith(".py") else os.environ.get("PHYSAD_LUA")
    if not program:
        pytest.skip("no Lua")
    done = subprocess.run([program, str(SOURCE / "examples" / name)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.endswith("2 of 8 rejected\n"), done.stdout + done.stderr
