# SPDX-License-Identifier: Apache-2.0
import os

import numpy as np
import pytest

import physad


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def photo(rng):
    return rng.integers(0, 256, (40, 56, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def rad(tmp_path_factory):
    """A small drawn data set of one category."""
    folder = tmp_path_factory.mktemp("rad")
    physad.synth_rad(folder, categories="bowl", train_views=24, test_views=4, instances=1, instance_views=2, width=64)
    return physad.Dataset(folder)


@pytest.fixture(scope="session")
def data():
    """The folder of real data sets."""
    folder = os.environ.get("PHYSAD_TEST_DATA")
    if not folder:
        pytest.skip("PHYSAD_TEST_DATA is not set")
    return folder
