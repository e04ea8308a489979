# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""When Ansible refuses a role's argument, it prints the whole spec with its defaults, so they must not hold secrets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks

SECRETS = {name: f"hush-{name}-0123456789" for name in ("LITELLM_DERIVATION_SECRET", "LITELLM_MASTER_KEY", "SMTP_PASSWORD")}


@pytest.mark.parametrize(
    ("role", "tasks", "wrong"),
    [
        ("key_delivery", "main", {"key_delivery_mail_language": "xx"}),
        ("key_requests", "main", {"key_requests_store": "xx"}),
        ("key_requests", "main", {"key_requests_delivery_methods": ["mail", "env_file"]}),
        ("key_requests", "notices", {"key_requests_store": "xx"}),
        (
            "ocp4_workload_litellm_virtual_keys",
            "main",
            {"ACTION": "destroy", "guid": "abc12", "litellm_url": "http://127.0.0.1:9", "ocp4_workload_litellm_virtual_keys_delete_method": "xx"},
        ),
    ],
)
def test_a_refused_argument_prints_no_secret(playbook: Playbooks, tmp_path: Path, role: str, tasks: str, wrong: dict[str, Any]) -> None:
    play = tmp_path / "play.yml"
    include = {"name": f"rhpds.litellm_virtual_keys.{role}", "tasks_from": tasks}
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.include_role": include}]}]))
    run = playbook(play, {**wrong, "litellm_master_key": SECRETS["LITELLM_MASTER_KEY"]}, "-vvv", check=False, environment=SECRETS)
    assert run.returncode != 0
    assert re.search("must be one (or more )?of", run.output)
    assert "hush-" not in run.output
