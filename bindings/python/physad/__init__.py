# SPDX-License-Identifier: Apache-2.0
"""Tells whether a thing is defective by comparing it with how normal things look and behave.

>>> import physad                                                                               # doctest: +SKIP
>>> det = physad.Detector("patchcore", coreset_ratio=0.1).fit(physad.Dataset("tiles/"), progress=True)   # doctest: +SKIP
>>> det.save("tiles.physad")                                                                    # doctest: +SKIP
>>> r = physad.load("tiles.physad").score("photo.jpg")                                          # doctest: +SKIP
>>> r.score, r.is_anomalous, r.map, r.nearest(10, 20)                                           # doctest: +SKIP

Photos are paths, `Image`s, or anything that NumPy can look at: arrays, tensors on the CPU, PIL images. Nothing is copied.
Every failure is a `physad.Error`, and the built-in exception of its kind as well.
"""
from __future__ import annotations

from ._native import lib as _lib
from ._errors import (ArgumentError, CancelledError, DtypeError, Error, FileError, FormatError, InternalError, NumericError,
                      OutOfMemoryError, ShapeError, StateError, UnsupportedError)
from ._context import Context
from ._image import Image, write_image
from ._dataset import Dataset, Sample
from ._features import Features, Transform, backbone, backbones
from ._metrics import Conformal, Metric, Metrics, Pixels, Scores, conformal, conformal_needed, conformal_p_value
from ._tensors import (Tensors, find_weights, install_weights, save_tensors, synth_phys, synth_phys_categories, synth_rad,
                       synth_rad_categories, weights)
from ._video import Frame, Video
from ._scene import Camera, Locator, Pose, Quality, Rendering, Scene
from ._splat import GaussianArrays, Gaussians, Gradients, Picture, Splat
from ._bank import Bank, Coreset
from ._stream import FrameScore, Stream
from ._region import Region, Regions, Types
from ._group import Group, Place
from ._detector import Detector, Method, Nearest, Option, Result, Threshold, Worst, load, method, methods
from ._evaluate import Results, evaluate

#: The library's version.
__version__: str = _lib.version()


def build_info() -> str:
    """How the library was built: compiler, instruction sets, BLAS, oneDNN, optional parts."""
    return str(_lib.build_info())


__all__ = [
    "ArgumentError", "Bank", "Camera", "CancelledError", "Conformal", "Context", "Coreset", "Dataset", "Detector",
    "DtypeError", "Error", "Features", "FileError", "FormatError", "Frame", "FrameScore", "GaussianArrays", "Gaussians",
    "Gradients", "Group", "Image", "InternalError", "Locator",
    "Method", "Metric", "Metrics", "Nearest", "NumericError", "Option", "OutOfMemoryError", "Picture", "Pixels", "Place",
    "Pose", "Quality", "Region", "Regions", "Rendering", "Result", "Results", "Sample", "Scene", "Scores", "ShapeError", "Splat",
    "StateError", "Stream", "Tensors",
    "Threshold", "Transform", "Types", "UnsupportedError", "Video", "Worst", "backbone", "backbones", "build_info", "conformal",
    "conformal_needed", "conformal_p_value", "evaluate", "find_weights", "install_weights", "load", "method",
    "methods", "save_tensors", "synth_phys", "synth_phys_categories", "synth_rad", "synth_rad_categories", "weights",
    "write_image",
]
