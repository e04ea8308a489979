# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Every molecule scenario is a test, so that one command and one closing line cover them too."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

COLLECTION = Path(__file__).parents[2]
SCENARIOS = sorted(path.parent.name for path in COLLECTION.glob("extensions/molecule/*/molecule.yml"))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str) -> None:
    done = subprocess.run(["molecule", "test", "--scenario-name", scenario], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, "\n".join(done.stdout.splitlines()[-200:])
