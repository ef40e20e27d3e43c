#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs pytest on the given files; exits with 77, the sign of a skipped test, where pytest or NumPy is missing."""
import importlib.util
import sys


def main():
    missing = [name for name in ("numpy", "pytest") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"{sys.executable} has no {' and no '.join(missing)}: skipped")
        return 77
    import pytest
    return pytest.main(["-q", "-p", "no:cacheprovider", "-rs", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
