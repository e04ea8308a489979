# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The inventory of labs, read from the real gateway by ansible-inventory, and used by a playbook."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.orphan import ORPHAN
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, Live


def test_the_labs_of_a_gateway(live: Live, gateway: Gateway, tmp_path: Path) -> None:
    guids = {name: f"{live.name}{name}" for name in ("class", "soon", "spent", "stopped", "dead")}
    made = {"models": [GRANITE], "duration": "30d", "package": f"package-{live.name}", "metadata": {"owner": f"ada@{live.name}.example"}}
    live.run_ok("virtual_keys", guid=guids["class"], keys=[{"user": "user1"}, {"user": "user2"}], **made)
    for name in ("soon", "spent", "stopped", "dead"):
        live.run_ok("virtual_keys", guid=guids[name], keys=[{}], **{**made, "duration": "5h" if name == "soon" else "30d"})
    tokens = {row["key_alias"]: row["token"] for row in live.rows.values()}
    gateway.post("/key/update", key=tokens[f"virtkey-{guids['spent']}"], max_budget=2, spend=3)
    gateway.post("/key/update", key=tokens[f"virtkey-{guids['stopped']}"], blocked=True)
    (dead,) = (row for row in live.rows.values() if row["key_alias"] == f"virtkey-{guids['dead']}")
    gateway.post("/key/update", key=dead["token"], metadata={**dead["metadata"], ORPHAN: {"since": "2026-01-01T00:00:00Z"}})
    gateway.post("/key/generate", key_alias=f"virtkey-{live.name}old-user1", models=[GRANITE])

    source = tmp_path / "real.labs.yml"
    source.write_text("plugin: rhpds.litellm_virtual_keys.labs\nstrict: true\nkeyed_groups: [{prefix: state, key: lab_state}]\n")
    command = [str(installation.PROGRAMS / "ansible-inventory"), "-i", str(source), "--list"]
    done = subprocess.run(command, env={**os.environ, **gateway.environment}, capture_output=True, text=True, timeout=120, check=True)
    listing: dict[str, Any] = json.loads(done.stdout, object_hook=lambda found: found.get("__ansible_unsafe", found))

    def hosts(group: str) -> set[str]:
        """Return the names of this test's labs in a group."""
        return {name for lab, name in guids.items() if f"virtkey-{name}" in listing[group]["hosts"]} if group in listing else set()

    everything = set(guids.values())
    assert hosts(f"package_package_{live.name}") == hosts(f"owner_{live.name}_example") == everything
    assert hosts("expiring_24h") == hosts("expiring_72h") == {guids["soon"]}
    assert (hosts("over_budget"), hosts("blocked"), hosts("orphan")) == ({guids["spent"]}, {guids["stopped"]}, {guids["dead"]})
    assert hosts("state_active") == {guids["class"], guids["soon"]}
    assert f"virtkey-{live.name}old" in listing["unmanaged"]["hosts"]
    facts = listing["_meta"]["hostvars"][f"virtkey-{guids['spent']}"]
    assert (facts["lab_spend"], facts["lab_max_budget"], facts["lab_budget_share"], facts["lab_state"]) == (3.0, 2.0, 1.5, "over_budget")
    assert listing["_meta"]["hostvars"][f"virtkey-{guids['class']}"]["lab_users"] == ["user1", "user2"]
    assert gateway.master_key not in done.stdout and not any(token in done.stdout for token in tokens.values())


def test_fleet_work_by_host_pattern(live: Live, gateway: Gateway, playbook: Playbooks, tmp_path: Path) -> None:
    """Extend all labs of a package that end soon, as the guide shows."""
    for name, duration in (("a", "5h"), ("b", "30d")):
        live.run_ok("virtual_keys", guid=live.name + name, keys=[{"user": "user1"}], models=[GRANITE], duration=duration)
    (tmp_path / "labs.yml").write_text("plugin: rhpds.litellm_virtual_keys.labs\n")
    play = tmp_path / "extend.yml"
    play.write_text(
        f"""
- hosts: expiring_24h:&virtkey-{live.name}*
  gather_facts: false
  tasks:
    - rhpds.litellm_virtual_keys.virtual_keys:
        guid: "{{{{ lab_guid }}}}"
        lab_alias: "{{{{ lab_alias }}}}"
        extend_for: 7d
        secret: the secret of the integration tests
"""
    )
    run = playbook(play, {}, "-i", str(tmp_path / "labs.yml"), environment=gateway.environment)
    assert run.changed == 1 and run.count("ok") == 1, run.output
    ends = {alias: row["expires"] for alias, row in live.rows.items()}
    assert ends[f"virtkey-{live.name}a-user1"] < ends[f"virtkey-{live.name}b-user1"]
