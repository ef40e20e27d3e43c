# SPDX-License-Identifier: Apache-2.0
"""Imports the private module, and says which package is missing when the loader does not find a library."""
from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from . import _errors

__all__ = ["PACKAGES", "explain", "lib", "load"]

#: What Debian and its kin call the package of a library.
PACKAGES = {
    "libdnnl": "libdnnl2", "libopenblas": "libopenblas0-openmp", "liblapacke": "liblapacke", "libjansson": "libjansson4",
    "libjpeg": "libjpeg62-turbo", "libpng16": "libpng16-16", "libtiff": "libtiff6", "libz": "zlib1g", "libcrypto": "libssl3",
    "libgomp": "libgomp1", "libavformat": "libavformat59", "libavcodec": "libavcodec59",
    "libavutil": "libavutil57", "libswscale": "libswscale6", "libstdc++": "libstdc++6",
}


def explain(text: str) -> str:
    """What to do about a loader's message."""
    found = re.match(r"(lib[\w+.-]+?)\.so[\d.]*: cannot open shared object", text)
    if not found:
        return text
    name = found[1]
    if name == "libphysad":
        return f"{text}; libphysad itself is missing: install the wheel, or put the library's folder into LD_LIBRARY_PATH"
    package = PACKAGES.get(name)
    hint = f"apt-get install {package}" if package else f"install the package that has {name}.so"
    return f"{text}; physad needs this system library: {hint} (Debian 12; the name may differ elsewhere)"


#: Where the library's log goes: with no handler set up, Python writes warnings to standard error.
LOGGER = logging.getLogger("physad")
_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO}


def tell(level: int, text: str) -> None:
    """A line of the library's log."""
    LOGGER.log(_LEVELS.get(level, logging.DEBUG), "%s", text)


def load() -> Any:
    try:
        from . import _physad
    except ImportError as error:
        raise ImportError(explain(str(error)), name=error.name, path=error.path) from None
    _physad.set_error_factory(_errors.make)
    _physad.set_log_target(tell)
    return _physad


if TYPE_CHECKING:  # so that calls the library does not have are found
    from . import _physad as lib
else:
    lib = load()
