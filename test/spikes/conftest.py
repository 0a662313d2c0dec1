# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What several tests of spike cameras ask for."""

import pytest
import torch


@pytest.fixture(scope='module')
def one_thread():
    """Threads that wait for each other cost more than small networks."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
