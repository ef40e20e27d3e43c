# SPDX-License-Identifier: Apache-2.0
"""The package as such: that the tables know every field, that types and texts are complete, what a missing library says."""
import importlib
import inspect
import os
import pathlib
import re
import subprocess
import sys

import pytest

import physad
from physad import _native, _physad

SOURCE = pathlib.Path(os.environ.get("PHYSAD_SOURCE", pathlib.Path(__file__).resolve().parents[3]))
#: Not for bindings: callbacks are wrapped, sizes are filled in.
LEFT_OUT = {"struct_size", "reserved", "progress", "progress_user", "allocator", "log", "log_level", "log_user", "scored", "scored_user"}

#: Of these alone: from Python and Lua the way around a scene begins where the library lets it begin.
LEFT_OUT_OF = {"physad_scene_html_options": {"camera", "centre"}, "physad_scene_turntable_options": {"camera", "centre"}}


def bound_headers():
    """Those that bindings/common.i takes in."""
    names = re.findall(r"%include <physad/(\w+\.h)>", (SOURCE / "bindings/common.i").read_text())
    assert len(names) > 9
    return [SOURCE / "include/physad" / name for name in names]


def structures():
    found = {}
    for header in bound_headers():
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        for m in re.finditer(r"typedef struct (physad_\w+) \{(.*?)\}", text, re.S):
            fields = re.findall(r"(\w+)\s*(?:\[[^\]]*\]\s*)*(?=[;,])", m[2])
            found[m[1]] = set(fields) - LEFT_OUT - LEFT_OUT_OF.get(m[1], set())
    return found


def test_tables_know_every_field():
    checked, without = 0, []
    for name, fields in structures().items():
        known = _physad.struct_fields(name)
        if name in ("physad_view", "physad_progress", "physad_allocator", "physad_call_options", "physad_backbone_layer", "physad_scored"):  # views, callbacks, and what they get
            continue
        if known is None:
            without.append(name)
            continue
        assert set(known) == fields, f"{name}: bindings/binding_fields.h does not have its fields"
        checked += 1
    assert checked > 15
    assert not without, f"these want a table in bindings/binding_fields.h and a line in common.i: {', '.join(without)}"


def test_every_call_is_bound_or_left_out_for_a_reason():
    left = {"tensors_open_memory", "video_open_memory", "view_array", "view_rgb8", "view_gray8", "overlay_color", "detector_set_int", "detector_set_real"}
    mapped = set(re.findall(r"^\s+physad_(\w+);", (SOURCE / "pkgconfig/physad.map").read_text(), re.M))
    declared = {name for header in bound_headers() for name in re.findall(r"\bphysad_(\w+)\s*\(", header.read_text())}
    mapped &= declared
    assert len(mapped) > 80
    missing = {name for name in mapped if not hasattr(_physad, name) and not name.endswith("_free")} - left
    assert not missing


def test_names_and_texts():
    for name in physad.__all__:
        thing = getattr(physad, name)
        if inspect.isclass(thing) or callable(thing):
            assert inspect.getdoc(thing), name
        if inspect.isclass(thing) and not issubclass(thing, (tuple, Exception)):
            for member, value in vars(thing).items():
                if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, (property, classmethod, staticmethod))):
                    assert inspect.getdoc(getattr(thing, member)), f"{name}.{member}"
    assert sorted(physad.__all__) == physad.__all__
    assert physad.__version__ == re.search(r"version: '([\d.]+)'", (SOURCE / "meson.build").read_text())[1]
    assert "oneDNN" in physad.build_info()


def test_errors():
    kinds = {ValueError: physad.ArgumentError, TypeError: physad.DtypeError, MemoryError: physad.OutOfMemoryError, OSError: physad.FileError}
    for builtin, kind in kinds.items():
        assert issubclass(kind, builtin) and issubclass(kind, physad.Error)
    statuses = {int(n): name for name, n in re.findall(r"#define (PHYSAD_ERR_\w+) \((-\d+)\)",
                                                       (SOURCE / "include/physad/base.h").read_text())}
    from physad import _errors
    for number, name in statuses.items():
        assert _errors.make(number, "x").status == name == _physad.status_name(number)


def test_missing_library_names_its_package():
    said = _native.explain("libdnnl.so.2: cannot open shared object file: No such file or directory")
    assert "apt-get install libdnnl2" in said
    assert "package" in _native.explain("libunknown.so.3: cannot open shared object file: No such file or directory")
    assert _native.explain("something else") == "something else"


def test_every_needed_library_has_a_package_name():
    library = pathlib.Path(_physad.__file__)
    done = subprocess.run(["ldd", library], capture_output=True, text=True)
    own = re.search(r"libphysad\.so\S* => (\S+)", done.stdout)
    if not own:
        pytest.skip("no ldd, or the library is not where it was built")
    needed = subprocess.run(["readelf", "-d", own[1]], capture_output=True, text=True).stdout
    for name in re.findall(r"NEEDED.*\[(lib[\w+.-]+?)\.so", needed):
        if name not in ("libc", "libm", "libdl", "libpthread", "libgcc_s", "libasan", "libubsan", "libtsan"):
            assert name in _native.PACKAGES, name


def test_import_is_quiet_and_light():
    code = "import sys, physad; print(sorted({'torch', 'PIL', 'pandas', 'sklearn', 'tqdm'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)


def test_private_module_has_no_surprises():
    assert importlib.import_module("physad._physad") is _physad
    with pytest.raises(TypeError):
        _physad.context_new()
    with pytest.raises(TypeError, match="did you mean 'threads'"):
        _physad.context_new({"treads": 1})
    with pytest.raises(TypeError, match="want a dict"):
        _physad.context_new([1])
    with pytest.raises(TypeError):
        _physad.context_new({1: 2})


def test_types():
    mypy = pytest.importorskip("mypy.api")
    package = pathlib.Path(physad.__file__).parent
    out, err, status = mypy.run(["--strict", "--config-file", str(SOURCE / "pyproject.toml"), "--cache-dir=/dev/null", str(package)])
    assert status == 0, out + err


def test_stub_is_the_module():
    """Names, numbers of arguments where Python can tell, and that nothing is missing on either side."""
    version = pytest.importorskip("mypy.version").__version__
    if tuple(int(n) for n in version.split(".")[:2]) < (1, 5):
        pytest.skip(f"mypy {version} stumbles over the types of typing itself")
    done = subprocess.run([sys.executable, "-m", "mypy.stubtest", "physad", "--mypy-config-file", str(SOURCE / "pyproject.toml")],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_stub_has_every_call():
    stub = (pathlib.Path(physad.__file__).parent / "_physad.pyi").read_text()
    named = set(re.findall(r"^def (\w+)|^(\w+): Any", stub, re.M))
    live = {name for name in vars(_physad) if not name.startswith("_") and name not in ("cvar",)}
    assert {a or b for a, b in named} == live
