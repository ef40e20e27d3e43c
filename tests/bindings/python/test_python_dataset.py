# SPDX-License-Identifier: Apache-2.0
import pickle

import numpy as np
import pytest

import physad


def test_drawn_set(rad):
    assert rad.categories == ["bowl"] and rad.format == "mvtec"
    assert len(rad.train) == 24 and len(rad) == len(rad.train) + len(rad.test)
    assert {s.split for s in rad} == {"train", "test"}
    assert [s.index for s in rad.test] == list(range(len(rad.test)))
    bad = [s for s in rad.test if s.label == 1]
    assert bad and all(s.mask().any() for s in bad)
    good = next(s for s in rad.test if s.label == 0)
    assert not good.mask().any() and good.mask((7, 9)).shape == (7, 9)
    assert good.image().shape == (64, 64, 3)
    assert list(rad.labels) == [s.label for s in rad]


def test_indexing(rad):
    assert rad[-1].path == rad[len(rad) - 1].path
    assert [s.path for s in rad[2:5]] == [rad[i].path for i in (2, 3, 4)]
    assert [s.path for s in rad[[3, 0, -1]]] == [rad[3].path, rad[0].path, rad[-1].path]
    assert len(rad[rad.labels == 1]) == (rad.labels == 1).sum()
    for index in (len(rad), -len(rad) - 1, 2 ** 40):
        with pytest.raises(IndexError):
            rad[index]
        with pytest.raises(IndexError):
            rad.read(index)
    with pytest.raises(physad.ArgumentError):
        rad[[10 ** 6]]
    with pytest.raises(TypeError):
        rad[["a"]]


def test_split_keeps_groups(rad):
    first, second = rad.train.split(0.25, seed=3)
    assert len(first) + len(second) == 24 and len(second) == 6
    assert not {s.path for s in first} & {s.path for s in second}


def test_pickle(rad):
    for part in (rad, rad.test, rad[1:4], rad.train.split(0.5, 1)[1]):
        again = pickle.loads(pickle.dumps(part))
        assert [s.path for s in again] == [s.path for s in part]
        assert np.array_equal(again.read(0).array, part.read(0).array)


def test_in_memory(photo):
    mask = np.zeros(photo.shape[:2], bool)
    mask[3:5, 3:5] = True
    dataset = physad.Dataset.from_arrays([photo, photo[:, :, 0], photo.astype(np.float32) / 255], labels=[0, 1, None],
                                         masks=[None, mask, None], types=[None, "dent", None], groups=["a", "b", "b"])
    photo[:] = 0  # it was copied
    assert [s.label for s in dataset] == [0, 1, None] and [s.group for s in dataset] == ["a", "b", "b"]
    assert dataset.mask(1).sum() == 4 and dataset[1].type == "dent" and dataset.read(0).array.any()
    with pytest.raises(physad.StateError):
        dataset.mask(2)
    again = pickle.loads(pickle.dumps(dataset))
    assert [s.label for s in again] == [0, 1, None] and again.mask(1).sum() == 4
    assert np.array_equal(again.read(2).array, dataset.read(2).array)


def test_files(rad):
    files = [s.file for s in rad.test]
    dataset = physad.Dataset.from_files(files, split="test", label=None)
    assert len(dataset) == len(files) and dataset[0].label is None and dataset.format == "list"
    assert len(pickle.loads(pickle.dumps(dataset))) == len(files)
    with pytest.raises(TypeError):
        physad.Dataset.from_files([1])
    with pytest.raises(ValueError):
        physad.Dataset.from_files(["a\0b.png"])


def test_wrong(tmp_path):
    with pytest.raises(FileNotFoundError if False else OSError):
        physad.Dataset(tmp_path / "none")
    with pytest.raises(ValueError, match="train"):
        physad.Dataset.from_files(["a.png"], split="trian")
    with pytest.raises(physad.Error):
        physad.Dataset(tmp_path)


def test_stats_and_html(rad):
    assert rad.stats()["categories"][0]["splits"]["train"]["good"] == 24
    assert "bowl" in rad._repr_html_() and "bowl" in repr(rad)


def test_real(data):
    tiles = physad.Dataset(data + "/magnetic-tile")
    assert len(tiles.train) == 280
    assert {s.group for s in tiles.train} and all(s.group for s in tiles)


def test_video(tmp_path):
    physad.synth_phys(tmp_path, categories=physad.synth_phys_categories()[0], train_videos=1, test_videos=1, defect_videos=-1, frames=16,
                      width=64, height=48, frames_only=True)
    folder = next(p.parent for p in sorted(tmp_path.rglob("*.png")))
    with physad.Video(folder, frame_rate=10) as video:
        assert len(video) == 16 and video.info["height"] == 48
        frames = list(video)
        assert [f.number for f in frames] == list(range(16)) and frames[5].seconds == pytest.approx(0.5)
        assert all(f.pixels.shape == (48, 64, 3) and f.pixels.dtype == np.uint8 for f in frames)
        assert np.array_equal(video[-3].pixels, frames[13].pixels)  # frames stay when the video goes on
        with pytest.raises(IndexError):
            video[16]
    with pytest.raises(ValueError, match="closed"):
        video.read()
    with pytest.raises(physad.Error):
        physad.Video(tmp_path / "none.mp4")
    with pytest.raises(ValueError, match="shorten"):
        physad.Video(folder, on_error="go on")


def test_frames_and_protocols(tmp_path):
    physad.synth_phys(tmp_path, categories=physad.synth_phys_categories()[0], train_videos=3, test_videos=1, defect_videos=4, frames=16,
                      width=64, height=48, frames_only=True)
    clips = physad.Dataset(tmp_path)
    frames = clips.train.frames(4)
    assert len(frames) == 12 and {s.kind for s in frames} == {"image"} and "#" in frames[0].path and frames.read(0).shape == (48, 64, 3)
    assert [s.path for s in pickle.loads(pickle.dumps(frames))] == [s.path for s in frames]
    weak = clips.protocol("weak-in-all", least=2, most=2, seed=3)
    assert len(weak) == len(clips) and sum(s.label == 1 for s in weak.train) == 2 and not any(s.label for s in clips.train)
    assert [s.path for s in pickle.loads(pickle.dumps(weak)).train] == [s.path for s in weak.train]
    with pytest.raises(ValueError, match="weak-in-all"):
        clips.protocol("weak-in-al")
    with pytest.raises(physad.ArgumentError):
        clips.train.frames(0)
