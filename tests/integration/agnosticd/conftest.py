# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The fixture `lab`: a lab with its own GUID."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.agnosticd.workload_lab import WorkloadLab
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway


@pytest.fixture
def lab(gateway: Gateway, playbook: Playbooks, unique: str, tmp_path: Path) -> WorkloadLab:
    return WorkloadLab(gateway, playbook, unique, tmp_path)
