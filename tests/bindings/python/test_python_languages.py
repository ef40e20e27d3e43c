# SPDX-License-Identifier: Apache-2.0
"""Python, Lua and the command give the same bits."""
import os
import sys

import pytest

import languages


def test_one_answer_in_all_languages(rad, tmp_path):
    command, lua = os.environ.get("PHYSAD_COMMAND"), os.environ.get("PHYSAD_LUA")
    if not command:
        pytest.skip("the command is not built")
    found = languages.compare(rad.root, tmp_path, ["weights=random:1", "input=96", "alpha=0.3"], python=sys.executable, command=command,
                              lua=(lua, {}) if lua else None)
    assert len(found) == len(rad.test) and {verdict for _, verdict in found.values()} <= {True, False}
