# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The fixture `served`: a model of LiteLLM on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel


@pytest.fixture
def served() -> Iterator[ServedModel]:
    with ServedModel() as server:
        yield server
