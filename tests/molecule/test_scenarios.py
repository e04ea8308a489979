# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Every molecule scenario is a test, so that one command and one closing line cover them too."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm import runner

COLLECTION = Path(__file__).parents[2]
AS_EVER = "bastion_profile"
"""The scenario that runs as a user's does, with no part of it warm."""
ON_A_GATEWAY = "workload"
"""The scenario that needs a gateway. By itself it would start one."""
SCENARIOS = sorted(path.parent.name for path in COLLECTION.glob("extensions/molecule/*/molecule.yml"))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, request: pytest.FixtureRequest) -> None:
    environment = dict(os.environ)
    if scenario != AS_EVER:
        environment |= runner.handing_over(os.environ)
    if scenario == ON_A_GATEWAY:
        environment["LITELLM_VIRTUAL_KEYS_TEST_GATEWAY"] = str(request.getfixturevalue("gateway").dir)
    command = ["molecule", "test", "--scenario-name", scenario]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, "\n".join(done.stdout.splitlines()[-200:])
