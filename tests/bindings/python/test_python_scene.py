# SPDX-License-Identifier: Apache-2.0
"""Cameras and scenes of Gaussians."""
import json
import logging
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

import physad


@pytest.fixture(scope="module")
def scene(rad):
    return physad.Scene.fit(rad.root + "/bowl", steps=30, random_points=1500, hold_out=6, harmonics=4)


def test_fit(scene, rad):
    assert len(scene) == scene.quality.gaussians > 0 and scene
    assert scene.quality.steps == 30 and scene.quality.photos + scene.quality.held_out == len(scene.cameras) == 24
    assert 5 < scene.quality.psnr < 60
    assert scene.cameras[0].name in {sample.path.removeprefix("bowl/") for sample in rad.train}
    again = physad.Scene.fit(rad.root + "/bowl", steps=30, random_points=1500, hold_out=6, harmonics=4,
                             context=physad.Context(threads=1))
    assert np.array_equal(again.render(0).colour, scene.render(0).colour)  # whatever the threads
    seen = []
    physad.Scene.fit(physad.Dataset(rad.root + "/bowl"), steps=2, random_points=100, progress=lambda *a: seen.append(a))
    assert seen


def test_wrong_poses(rad, tmp_path, caplog):
    for name in ("train", "test"):
        (tmp_path / name).symlink_to(rad.root + "/bowl/" + name)
    poses = json.loads(Path(rad.root, "bowl/transforms.json").read_text())
    frames = poses["frames"]
    first, other = (frames[i]["transform_matrix"] for i in (0, 12))
    frames[0]["transform_matrix"], frames[12]["transform_matrix"] = other, first
    (tmp_path / "transforms.json").write_text(json.dumps(poses))
    options = {"steps": 1, "random_points": 300, "harmonics": 1}
    fitted = physad.Scene.fit(tmp_path, **options)
    assert [r.levelname for r in caplog.records] == ["WARNING"] * 2 and "contradicts" in caplog.text and caplog.records[0].name == "physad"
    left = {frame["file_path"] for frame in frames} - {camera.name for camera in fitted.cameras}
    assert left == {frames[0]["file_path"], frames[12]["file_path"]}
    assert len(physad.Scene.fit(tmp_path, trust_poses=True, **options).cameras) == 24
    matrices = [frame["transform_matrix"] for frame in frames]
    for i, frame in enumerate(frames):  # 7 and 24 have no divisor in common
        frame["transform_matrix"] = matrices[(7 * i + 3) % 24]
    (tmp_path / "transforms.json").write_text(json.dumps(poses))
    with pytest.raises(physad.NumericError, match="poses contradict what the photos show"):
        physad.Scene.fit(tmp_path, **options)


def test_log(rad, tmp_path, caplog):
    """What the library says reaches Python's log while the call goes on, from whatever thread, and raises nothing of its own."""
    caplog.set_level("INFO", "physad")
    seen = []
    physad.Scene.fit(rad.root + "/bowl", steps=2, random_points=300, harmonics=1, progress=lambda *a: seen.append(len(caplog.records)))
    assert 0 < max(seen) and all(r.levelname == "INFO" for r in caplog.records)
    broken = logging.Handler()
    broken.emit = lambda record: 1 / 0
    logging.getLogger("physad").addHandler(broken)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pytest's, of the exception that nobody can take
            physad.Scene.fit(rad.root + "/bowl", steps=1, random_points=300, harmonics=1)
            with pytest.raises(physad.FileError):
                physad.Scene.fit(tmp_path)
    finally:
        logging.getLogger("physad").removeHandler(broken)


def test_ways(rad, tmp_path):
    kept = tmp_path / "fit.safetensors"
    options = {"steps": 12, "random_points": 300, "hold_out": 6, "harmonics": 4, "densify": "mcmc", "exposure": True, "coarse": 1,
               "masks": tmp_path, "measure_every": 4}
    whole = physad.Scene.fit(rad.root + "/bowl", **options)
    assert [q.steps for q in whole.history] == [4, 8, 12] and whole.history[-1].loss == whole.quality.loss
    with pytest.raises(physad.CancelledError):
        physad.Scene.fit(rad.root + "/bowl", checkpoint=kept, progress=lambda stage, *a: stage == "scene", **options)
    assert kept.exists()
    again = physad.Scene.fit(rad.root + "/bowl", checkpoint=kept, resume=True, **options)
    assert not kept.exists() and np.array_equal(again.render(0).colour, whole.render(0).colour)
    with pytest.raises(ValueError):
        physad.Scene.fit(rad.root + "/bowl", densify="none")


def test_render(scene):
    colour, depth, opacity = scene.render(0)
    assert colour.shape == (64, 64, 3) and depth.shape == opacity.shape == (64, 64)
    assert colour.dtype == depth.dtype == opacity.dtype == np.float32 and 0 <= opacity.min() <= opacity.max() <= 1
    out = np.zeros((128, 64, 3), np.uint8)[::2]  # any strides
    seen = scene.render(scene.cameras[0], out=out)
    assert seen.colour is out and np.abs(out / 255 - np.clip(colour, 0, 1)).max() < 0.003
    white = scene.render(0, background=(1, 1, 1)).colour
    # What shines through is the background's: C + (1 - opacity) * white.
    assert np.allclose(white, colour + (1 - opacity)[..., None], atol=1e-5)
    assert seen._repr_png_().startswith(b"\x89PNG")


def test_camera(scene):
    camera = physad.Camera.look((3, 0, 1), (0, 0, 0), size=(30, 40), field_of_view=60)
    assert np.allclose(camera.position, (3, 0, 1)) and np.allclose(camera.rotation @ camera.rotation.T, np.eye(3))
    assert np.isclose(np.linalg.det(camera.rotation), 1)
    point = camera.rotation @ np.zeros(3) + camera.translation  # the target lies ahead, in the middle
    assert np.allclose(point[:2], 0) and point[2] > 0 and (camera.cx, camera.cy) == (20, 15)
    above = camera.rotation @ np.array([0, 0, 0.1]) + camera.translation
    assert above[1] < point[1]  # y goes down
    assert np.isclose(2 * np.degrees(np.arctan(camera.width / 2 / camera.fx)), 60)
    small = camera.resized((15, 20))
    assert (small.height, small.width, small.fx, small.cy) == (15, 20, camera.fx / 2, 7.5)
    assert scene.render(camera).colour.shape == (30, 40, 3)
    assert np.allclose(scene.render(scene.cameras[0].resized(64)).colour, scene.render(0).colour)
    again = pickle.loads(pickle.dumps(camera))
    assert np.array_equal(again.rotation, camera.rotation) and again.width == 40


def test_keep(scene, tmp_path):
    scene.save(tmp_path / "s.ply")
    read = physad.Scene(tmp_path / "s.ply")
    assert len(read) == len(scene) and read.cameras == [] and read.quality.photos == 0
    assert np.array_equal(read.render(scene.cameras[2]).colour, scene.render(2).colour)
    again = pickle.loads(pickle.dumps(scene))
    assert np.array_equal(again.render(2).colour, scene.render(2).colour) and again.quality == scene.quality
    assert "24 cameras" in repr(again)


def test_locator(rad):
    folder = rad.root + "/bowl"
    scene = physad.Scene.fit(folder, steps=500, random_points=1500, harmonics=4)
    locator = physad.Locator(scene, folder, weights="random:1")
    photo = rad.train[3]
    poses = locator.find(photo.file)
    assert 1 <= len(poses) <= 3 and all(-1 <= p.agreement <= 1 and 0 < p.confidence <= 1 for p in poses)
    assert [p.confidence for p in poses] == sorted((p.confidence for p in poses), reverse=True)
    true = next(c for c in scene.cameras if photo.path.endswith(c.name))
    assert poses[0].view == [c.name for c in scene.cameras].index(true.name)
    distances = {c.name: np.linalg.norm(poses[0].camera.position - c.position) for c in scene.cameras}
    assert min(distances, key=lambda name: distances[name]) == true.name  # how near, with a scene fitted well, the library's tests say
    # The scene may be closed and forgotten; the locator still sees it.
    scene.close()
    del scene
    assert locator.find(photo.image())[0].loss == poses[0].loss
    with pytest.raises(physad.NumericError):
        locator.find(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    with pytest.raises(physad.FormatError):
        locator.find(np.zeros((64, 32, 3), np.uint8))
    with pytest.raises(TypeError, match="Scene"):
        physad.Locator(folder, folder)
    locator.close()
    with pytest.raises(ValueError, match="closed"):
        locator.find(photo.file)


def test_wrong(scene, tmp_path):
    camera = scene.cameras[0]
    with pytest.raises(physad.FileError, match="none.ply"):
        physad.Scene(tmp_path / "none.ply")
    with pytest.raises(physad.FormatError):
        physad.Scene(__file__)
    with pytest.raises(physad.FileError):
        physad.Scene.fit(tmp_path)
    with pytest.raises(physad.ArgumentError, match="harmonics"):
        physad.Scene.fit(tmp_path, harmonics=5)
    with pytest.raises(physad.ShapeError):
        scene.render(camera, out=np.zeros((3, 3, 3), np.float32))
    with pytest.raises(physad.DtypeError):
        scene.render(camera, dtype=np.float64)
    with pytest.raises(ValueError, match="background"):
        scene.render(camera, background=(1, 1))
    with pytest.raises(IndexError):
        scene.render(24)
    with pytest.raises(physad.ArgumentError):
        scene.render(camera.resized(100000))
    with pytest.raises(physad.ArgumentError):
        scene.render(physad.Camera(np.ones((3, 3)), (0, 0, 0), 1, 1, 1, 1, 8, 8))
    with pytest.raises(ValueError, match="rotation"):
        physad.Camera((1, 2), (0, 0, 0), 1, 1, 1, 1, 8, 8)
    for arguments in ({"target": (3, 0, 1)}, {"up": (-3, 0, -1)}):
        with pytest.raises(ValueError, match="direction"):
            physad.Camera.look((3, 0, 1), **arguments)
    with pytest.raises(ValueError, match="field_of_view"):
        physad.Camera.look((3, 0, 1), field_of_view=180)
    with pytest.raises(physad.CancelledError):
        physad.Scene.fit(camera_folder(tmp_path), steps=5, progress=lambda *a: True)
    closed = pickle.loads(pickle.dumps(scene))
    closed.close()
    with pytest.raises(ValueError, match="closed"):
        closed.render(camera)


def camera_folder(tmp_path):
    physad.synth_rad(tmp_path / "drawn", categories="bowl", train_views=8, test_views=-1, defects="", width=32)
    return tmp_path / "drawn" / "bowl"


def test_show(scene, tmp_path):
    scene.to_html(tmp_path / "scene.html", title="a < b")
    assert "<title>a &lt; b</title>" in (tmp_path / "scene.html").read_text()
    with pytest.raises(physad.ArgumentError):
        scene.turntable(tmp_path / "a.mp4", width=33)
    try:
        scene.turntable(tmp_path / "a.mp4", frames=3, width=32, height=32)
    except physad.UnsupportedError:
        return
    assert (tmp_path / "a.mp4").stat().st_size > 100
