# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A lab of the role ocp4_workload_litellm_virtual_keys on the real gateway, as a catalog item would provision it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

GRANITE, MISTRAL, LLAMA = "openai/granite-3-2-8b-instruct", "openai/mistral-7b-instruct", "openai/llama-3-1-8b-instruct"
ROLE = "rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys"
P = "ocp4_workload_litellm_virtual_keys_"
QUIET = {f"{P}enable_user_info_messages": False, f"{P}enable_user_info_data": False}
KEY = re.compile(r"sk-[A-Za-z0-9_-]{43}")

# A catalog item: it runs the role with the given variables, and writes the resulting facts into a file.
CATALOG_ITEM = """
- hosts: localhost
  gather_facts: false
  become: {become}
  vars:
    facts_file: "{facts}"
  tasks:
    - ansible.builtin.include_role:
        name: {role}
    - ansible.builtin.copy:
        dest: "{{{{ facts_file }}}}"
        mode: "0600"
        content: "{{{{ dict(names | zip(names | map('extract', vars))) | to_json }}}}"
      vars:
        names: "{{{{ query('ansible.builtin.varnames', '^_?litellm_(?!url|master)') }}}}"
      become: false
      no_log: true
"""


class WorkloadLab:
    """A lab with its own GUID, and the actions that the role performs on it."""

    def __init__(self, gateway: Any, playbook: Any, guid: str, folder: Path) -> None:
        self.gateway, self.playbook, self.guid, self.folder = gateway, playbook, guid, folder
        self.run: Any = None

    def act(self, action: str, *arguments: str, check: bool = True, **variables: Any) -> Any:
        """Run a playbook of the collection, by default without user info."""
        given = {"guid": self.guid, **self.gateway.variables, **QUIET, **variables}
        self.run = self.playbook(action, given, *arguments, check=check)
        return self.run

    def catalog_item(self, action: str, *, become: bool = False, **variables: Any) -> dict[str, Any]:
        """Run the role in a catalog item's own play, and return the facts that the play finds."""
        facts, play = self.folder / "facts.json", self.folder / "catalog_item.yml"
        play.write_text(CATALOG_ITEM.format(role=ROLE, facts=facts, become=str(become).lower()))
        given = {"guid": self.guid, "ACTION": action, **self.gateway.variables, **QUIET, **variables}
        self.run = self.playbook(play, {name: value for name, value in given.items() if value is not None})
        found: dict[str, Any] = json.loads(facts.read_text())
        return found

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["key_alias"]: row for row in self.gateway.keys(f"virtkey-{self.guid}")}

    @property
    def row(self) -> dict[str, Any]:
        (row,) = self.rows.values()
        return row

    def user_data(self, action: str = "provision") -> dict[str, Any]:
        """Return the user data of an action; AgnosticD names the file for it."""
        found: dict[str, Any] = yaml.safe_load((self.folder / f"{action}-user-data.yaml").read_text())
        return found


def ends_in(row: dict[str, Any]) -> timedelta:
    return datetime.fromisoformat(row["expires"]) - datetime.now(UTC)


def about(span: timedelta, wanted: timedelta) -> bool:
    return abs(span - wanted) < timedelta(minutes=2)
