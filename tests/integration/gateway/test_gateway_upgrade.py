# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A real LiteLLM taken over by the next one: from the oldest release that the collection supports to the one that the role pins, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS, Gateway, gateway_variables, gatewayctl
from ansible_collections.rhpds.litellm_virtual_keys.tests.tools import workshop

pytestmark = IN_COLD_RUNS

OLDEST = "1.82.6"
REFUSED = (400, 401)


def test_an_upgrade_keeps_everything_and_the_way_back_is_a_restore(gateway_folder: Path, unique: str, playbook: Playbooks) -> None:
    directory = gateway_folder / unique
    pinned: dict[str, Any] = gateway_variables(directory)
    requirements, software = workshop.pins(f"litellm-{OLDEST}"), workshop.cache() / f"gateway-software-{OLDEST}"
    oldest = {**pinned, "litellm_gateway_requirements_file": str(requirements), "litellm_gateway_software_dir": str(software)}
    playbook("gateway", oldest)
    gateway = Gateway(directory)
    kept = gateway.post("/key/generate", key_alias="kept")["key"]
    assert gateway.chat(kept).ok

    assert playbook("gateway", pinned).changed > 0
    assert gateway.chat(kept).ok
    lost = gateway.post("/key/generate", key_alias="lost")["key"]

    refused = playbook("gateway", oldest, check=False)
    assert "the database was migrated by a newer LiteLLM than" in refused.output
    assert gateway.chat(lost).ok, "the newer one goes on"

    (backup,) = (directory / "backups").glob("upgrade-*.dump")
    gatewayctl(directory, "restore", str(backup))
    playbook("gateway", oldest)
    assert gateway.chat(kept).ok
    assert gateway.chat(lost).status_code in REFUSED, "made after the backup"
