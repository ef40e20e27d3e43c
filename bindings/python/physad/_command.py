# SPDX-License-Identifier: Apache-2.0
"""Runs the command that came with the package."""
from __future__ import annotations

import os
import sys


def main() -> None:
    """Becomes the command `physad`."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_bin", "physad")
    if not os.path.exists(path):
        sys.exit("physad: this installation has no command; build it with -Dtools=true")
    os.execv(path, ["physad", *sys.argv[1:]])
