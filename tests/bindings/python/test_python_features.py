# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

import physad


@pytest.fixture(scope="module")
def features():
    return physad.Features(weights="random:5", size=(64, 96))


def test_shapes(features):
    assert features.input_size == (64, 96) and features.shape[:2] == (8, 12)
    assert features.backbone == "efficientnet-lite0" and list(features.layers) == ["b4", "b10"]
    assert sum(shape[2] for shape in features.layers.values()) == features.shape[2]
    assert "efficientnet-lite0" in repr(features)


def test_batches_do_not_matter(features, rng):
    images = rng.standard_normal((5, 64, 96, 3), dtype=np.float32)
    want = features(images)
    assert want.dtype == np.float32 and want.shape == (5, *features.shape)
    for i in range(5):
        assert np.array_equal(features(images[i])[0], want[i])
    out = np.zeros_like(want)
    assert features(images, out=out) is out and np.array_equal(out, want)
    assert features(images[:0]).shape == (0, *features.shape)


def test_photos_go_through_the_transform(features, photo, tmp_path):
    physad.write_image(tmp_path / "a.png", photo)
    want = features(features.transform(photo))
    for same in ([photo], [str(tmp_path / "a.png")], physad.Image(photo), tmp_path / "a.png"):
        assert np.array_equal(features(same), want)


def test_layers(features, rng):
    images = rng.standard_normal((2, 64, 96, 3), dtype=np.float32)
    outs = features.layer_outputs(images)
    assert {name: out.shape[1:] for name, out in outs.items()} == features.layers
    assert all(np.isfinite(out).all() and out.any() for out in outs.values())


def test_wrong(features, tmp_path):
    with pytest.raises(physad.DtypeError, match="copy=True"):
        features(np.zeros((1, 64, 96, 3)))
    assert features(np.zeros((1, 64, 96, 3)), copy=True).shape[0] == 1
    with pytest.raises(physad.ShapeError):
        features(np.zeros((1, 64, 64, 3), np.float32))
    with pytest.raises(physad.ArgumentError, match="efficientnet-lite0"):
        physad.Features("eficientnet-lite0")
    with pytest.raises(OSError):
        physad.Features(weights=tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match="avg3"):
        physad.Features(pool="avg")
    with pytest.raises(TypeError):
        physad.Features(sizes=3)


def test_transform_positions(photo):
    transform = physad.Transform((32, 64), roi=(4, 8, 20, 30), resize="box")
    y, x = transform.to_model(photo, 10.0, 20.0)
    assert transform.to_photo(photo, y, x) == pytest.approx((10.0, 20.0))
    back = transform.map_back(np.ones((4, 8), np.float32), photo)
    assert back.shape == photo.shape[:2] and back.sum() == 20 * 30
    assert transform.valid(photo).sum() == 600
    transform.ignore(np.ones((3, 3), bool))
    assert not transform.valid(photo).any()
    transform.ignore(None)
    assert transform.valid(photo).any()
    with pytest.raises(ValueError, match="bilinear"):
        physad.Transform(8, resize="bilinaer")


def test_backbones():
    for name in physad.backbones():
        info = physad.backbone(name)
        assert info["layers"] and info["input_size"] > 0 and len(info["mean"]) == 3
    assert "efficientnet-lite0" in physad.weights()
