# SPDX-License-Identifier: Apache-2.0
"""The renderer by itself: arrays in and out, pictures, gradients against differences, a pose found by them; groups of photos."""
import dataclasses

import numpy as np
import pytest

import physad

CAMERA = physad.Camera.look((3, 0.5, 1), size=(30, 40), field_of_view=50)


def arrays(rng, count=60, coefficients=4):
    return {"xyz": rng.normal(0, 0.5, (count, 3)).astype("f4"), "log_scale": rng.normal(-2, 0.3, (count, 3)).astype("f4"),
            "quaternion": rng.normal(0, 1, (count, 4)).astype("f4"), "opacity": rng.normal(1, 1, count).astype("f4"),
            "harmonics": rng.normal(0, 0.5, (count, coefficients, 3)).astype("f4")}


def test_arrays(rng):
    given = arrays(rng)
    g = physad.Gaussians(**given)
    assert len(g) == 60 and g and "60" in repr(g)
    for name, found in g.arrays()._asdict().items():
        assert found.dtype == np.float32 and np.array_equal(found, given[name]), name
    g.set(opacity=np.zeros(60, "f4"))
    assert not g.arrays().opacity.any() and np.array_equal(g.arrays().xyz, given["xyz"])
    wide = np.zeros((60, 6), "f4")[:, ::2]  # any strides
    g.set(xyz=wide)
    assert not g.arrays().xyz.any()
    assert len(physad.Gaussians([[0, 0, 0]], [[-1, -1, -1]], [[1, 0, 0, 0]], [0], [[[0, 0, 0]]])) == 1  # lists
    assert len(physad.Gaussians(*(a[:0] for a in given.values()))) == 0
    with pytest.raises(physad.DtypeError, match="xyz is float64"):
        g.set(xyz=given["xyz"].astype("f8"))
    g.set(xyz=given["xyz"].astype("f8"), copy=True)
    with pytest.raises(physad.ShapeError, match=r"want \(60,4\)"):
        g.set(quaternion=given["xyz"])
    bad = given["xyz"].copy()
    bad[7, 1] = np.nan
    with pytest.raises(physad.NumericError, match="xyz of Gaussian 7"):
        g.set(xyz=bad, opacity=np.ones(60, "f4"))
    assert not g.arrays().opacity.any()  # all or nothing
    with pytest.raises(physad.ArgumentError, match="harmonics"):
        physad.Gaussians(given["xyz"], given["log_scale"], given["quaternion"], given["opacity"], None)
    g.close()
    with pytest.raises(ValueError):
        g.arrays()


def test_scene(rng, tmp_path):
    g = physad.Gaussians(**arrays(rng))
    scene = g.to_scene()
    assert len(scene) == 60 and scene.cameras == []
    scene.save(tmp_path / "s.ply")
    again = physad.Gaussians.of(physad.Scene(tmp_path / "s.ply"))
    assert all(np.array_equal(a, b) for a, b in zip(again.arrays(), g.arrays()))
    seen = physad.Splat().forward(g, CAMERA)
    rendered = scene.render(CAMERA)
    assert np.array_equal(seen.colour, rendered.colour) and np.array_equal(seen.opacity, rendered.opacity)
    depths = (g.arrays().xyz @ np.reshape(CAMERA.rotation, (3, 3)).T + CAMERA.translation)[:, 2]
    solid = seen.opacity > 0.3
    assert solid.any() and np.all(rendered.depth[seen.opacity < 0.24] == 0)
    assert np.all((rendered.depth[solid] >= depths.min() - 1e-4) & (rendered.depth[solid] <= depths.max() + 1e-4))


def test_channels(rng):
    given = arrays(rng)
    g, splat = physad.Gaussians(**given), physad.Splat()
    values = np.concatenate([np.ones((60, 1), "f4"), rng.normal(0, 1, (60, 2)).astype("f4")], 1)
    seen = splat.forward(g, CAMERA, values=values, background=(0.5, 0, 1), harmonics=1, depth=False)
    assert seen.channels.shape == (30, 40, 3) and seen.depth is None
    assert np.allclose(seen.channels[..., 0], seen.opacity, atol=1e-6)  # ones
    lifted = splat.backward(channels=seen.channels).values  # <picture of v, w> = <v, w lifted>
    assert np.isclose((lifted * values).sum(), (seen.channels ** 2).sum(), rtol=1e-4)
    with pytest.raises(physad.StateError, match="without a depth"):
        splat.backward(depth=np.zeros((30, 40), "f4"))
    with pytest.raises(physad.ShapeError, match="want 1 to 28"):
        splat.forward(g, CAMERA, values=np.zeros((60, 29), "f4"))
    with pytest.raises(physad.StateError, match="no picture"):
        splat.backward()


def test_gradients(rng):
    given = {name: a.astype("f8") for name, a in arrays(rng, 12).items()}
    weights = np.linspace(-1, 1, 3600, dtype="f4").reshape(30, 40, 3)
    g, splat = physad.Gaussians(**given, copy=True), physad.Splat()

    def loss(**other):
        g.set(**{**given, **other}, copy=True)
        return float((splat.forward(g, CAMERA).colour.astype("f8") * weights).sum())

    loss()
    found = splat.backward(colour=weights)
    for name in given:
        want = np.linalg.norm(getattr(found, name))
        way = 5e-3 / want * getattr(found, name).astype("f8")  # along the gradient: pixels at Gaussians' edges jump a little
        got = (loss(**{name: given[name] + way}) - loss(**{name: given[name] - way})) / (2 * 5e-3)
        assert want > 0 and abs(got - want) < 0.1 * want, name
    with pytest.raises(physad.StateError, match="changed after"):
        loss()
        g.set(opacity=given["opacity"], copy=True)
        splat.backward(colour=weights)


def test_pose_by_gradients(rng):
    g, splat = physad.Gaussians(**arrays(rng, 150)), physad.Splat()
    photo = splat.forward(g, CAMERA).colour
    camera = CAMERA.moved([0.05, -0.04, 0.06, 0.02, -0.02, 0.03])
    mean, square = np.zeros(6), np.zeros(6)
    for step in range(1, 151):  # Adam
        seen = splat.forward(g, camera)
        pose = splat.backward(colour=2 * (seen.colour - photo)).pose
        mean, square = 0.8 * mean + 0.2 * pose, 0.95 * square + 0.05 * pose ** 2
        way = mean / (1 - 0.8 ** step) / (np.sqrt(square / (1 - 0.95 ** step)) + 1e-12)
        camera = camera.moved(-0.01 * (1 - step / 151) * way)
    assert np.abs(camera.translation - CAMERA.translation).max() < 2e-3
    assert np.abs(camera.rotation - CAMERA.rotation).max() < 1e-3
    assert np.array_equal(CAMERA.moved([0] * 6).rotation, CAMERA.rotation)
    with pytest.raises(physad.NumericError, match="number 2"):
        CAMERA.moved([0, 0, np.nan, 0, 0, 0])


def test_wrong_cameras(rng):
    camera = physad.Camera.look((3, 0.3, 0.2), (0, 0, 0), size=(20, 30))
    gaussians = physad.Gaussians(*(np.zeros(shape, np.float32) for shape in ((1, 3), (1, 3))), np.ones((1, 4), np.float32),
                                 np.zeros(1, np.float32), np.zeros((1, 1, 3), np.float32))
    for background, said in ((3, "background is int, want a sequence of 3 numbers"), ("red", r"background\[0\] is str, want a number")):
        with pytest.raises(TypeError, match=said):
            physad.Splat().forward(physad.Gaussians(**arrays(rng)), CAMERA, background=background)
    shrinking = []

    class Trap:
        def __float__(self):
            shrinking.clear()
            return 0.5

    shrinking += [Trap(), Trap(), Trap()]
    splat = physad.Splat()
    splat.forward(physad.Gaussians(**arrays(rng)), CAMERA, background=shrinking)  # read as it was given
    with pytest.raises(physad.ArgumentError, match="rotation"):
        splat.forward(physad.Gaussians(**arrays(rng)), dataclasses.replace(CAMERA, rotation=np.zeros((3, 3))))
    with pytest.raises(physad.StateError, match="no picture"):  # the one before is gone
        splat.backward()
    with pytest.raises(TypeError, match="camera is NoneType, want a physad.Camera"):
        physad.Splat().forward(gaussians, None)
    with pytest.raises(ValueError, match="tangent has 2 numbers, want 6"):
        camera.moved([1, 2])
    with pytest.raises(physad.NumericError, match="nowhere"):
        camera.moved([0, 0, 0, 1e200, 0, 0])


def test_threads(rng):
    given = arrays(rng, 400)
    found = []
    for threads in (1, 3):
        context = physad.Context(threads=threads)
        splat = physad.Splat(context=context)
        seen = splat.forward(physad.Gaussians(**given, context=context), CAMERA)
        found.append((*seen[:3], *splat.backward(*seen[:3])))
    assert all(np.array_equal(a, b) for a, b in zip(*found) if a is not None)


@pytest.fixture(scope="module")
def detector(rad):
    return physad.Detector("patchcore", weights="random:1", input=64, alpha=0.3).fit(rad)


def test_groups(detector, rad):
    photos = [sample.file for sample in rad.test][:4]
    results = detector.score(photos)
    group = physad.Group(results)
    assert len(group) == 4 and group.score == max(r.score for r in results) and group.places == []  # no poses
    assert group.is_anomalous == (group.score > results[0].threshold)
    assert physad.Group([results[1]]).score == results[1].score
    assert results[0].map.shape == results[0].shape  # a list's results stay whole
    passing = physad.Group(detector.scores(photos))
    assert passing.score == group.score and "4 photos" in repr(passing)
    before = results[2].score
    results[2].strip()
    assert results[2].score == before and physad.Group(results).score == group.score
    with pytest.raises(physad.UnsupportedError):
        results[2].map
    with pytest.raises(physad.UnsupportedError):
        results[2].nearest(0, 0)
    other = physad.Detector("patchcore", weights="random:1", input=64, alpha=0.3).fit(rad).score(photos[0])
    with pytest.raises(physad.ArgumentError, match="another detector"):
        physad.Group([results[0], other])
    with pytest.raises(physad.ArgumentError, match="at least one"):
        physad.Group([])
    with pytest.raises(TypeError, match="result 1 is NoneType, want a physad.Result"):
        physad.Group([results[0], None])


def test_places(rad):
    """A method on photos with poses says where in space."""
    bowl = physad.Dataset(rad.root + "/bowl")
    detector = physad.Detector("render-compare", weights="random:1", steps=150, alpha=0.4, side=64).fit(bowl)
    bad = [sample for sample in bowl.test if sample.label == 1][:2]
    group = physad.Group(detector.scores([sample.file for sample in bad]))
    for place in group.places:
        assert 0 <= place.photo < 2 and 1 <= place.agreeing <= place.seen_by <= 2 and place.radius > 0
        assert len(place.position) == 3 and all(np.isfinite(place.position))
