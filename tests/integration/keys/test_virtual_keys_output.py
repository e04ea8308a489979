# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The output of the key modules at the highest verbosity."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, SECRET, Live

COLLECTION = "rhpds.litellm_virtual_keys"
OTHER_SECRET, OTHER_KEY = "another secret of a few letters", "sk-not-the-master-key-01"


def tasks_of(live: Live) -> list[dict[str, object]]:
    """Return tasks for every operation, including failures. Secrets come from variables, because Ansible shows the source of a failed task."""
    lab = {"guid": live.name, "models": [GRANITE], "keys": [{"user": "user1"}, {"user": "user2"}], "secret": "{{ secret }}"}
    one = {"alias": live.alias("one"), "models": [GRANITE], "secret": "{{ secret }}"}
    return [
        {f"{COLLECTION}.virtual_keys": lab, "no_log": True, "register": "hidden"},
        {f"{COLLECTION}.virtual_keys": {**lab, "max_budget": 3}, "register": "shown"},
        {"ansible.builtin.debug": {"var": "shown"}},
        {f"{COLLECTION}.virtual_key": one, "register": "shown"},
        {"ansible.builtin.debug": {"var": "shown"}},
        {f"{COLLECTION}.virtual_keys": {"guid": live.name, "rotation": "a", "secret": "{{ secret }}"}},
        {f"{COLLECTION}.virtual_keys": {**lab, "models": ["gpt-9"]}, "ignore_errors": True},
        {f"{COLLECTION}.virtual_keys": {**lab, "secret": "{{ other_secret }}"}, "ignore_errors": True},
        {f"{COLLECTION}.virtual_keys": {**lab, "api_key": "{{ other_key }}"}, "ignore_errors": True},
        {f"{COLLECTION}.virtual_key_info": {"guid": live.name}, "register": "shown"},
        {"ansible.builtin.debug": {"var": "shown"}},
        {"ansible.builtin.assert": {"that": ["hidden.virtual_keys | map(attribute='value') | select('match', 'sk-') | length == 2"]}},
        {f"{COLLECTION}.virtual_keys": {"guid": live.name, "state": "absent", "secret": "{{ secret }}"}},
        {f"{COLLECTION}.virtual_key": {"alias": one["alias"], "secret": one["secret"], "state": "absent"}},
    ]


@pytest.mark.parametrize("from_where", ["arguments", "module_defaults", "environment"])
def test_nothing_secret_is_printed(live: Live, gateway: Gateway, playbook: Playbooks, tmp_path: Path, from_where: str) -> None:
    connection = {"url": "{{ url }}", "api_key": "{{ key }}"}
    given = {"url": gateway.url, "key": gateway.master_key, "secret": SECRET, "other_secret": OTHER_SECRET, "other_key": OTHER_KEY}
    tasks = tasks_of(live)
    if from_where == "arguments":
        for task in tasks:
            for name, arguments in task.items():
                if name.startswith(COLLECTION) and isinstance(arguments, dict):
                    task[name] = {**connection, **arguments}
    defaults = {f"group/{COLLECTION}.litellm": connection} if from_where == "module_defaults" else {}
    variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    play = tmp_path / "play.yml"
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "vars": variables, "module_defaults": defaults, "tasks": tasks}]))
    run = playbook(play, given, "-vvv", "--diff", environment=gateway.environment if from_where == "environment" else {})
    assert run.count("ignored") == 3 and live.alias("user1") in run.output
    secrets = [derive.value(SECRET, live.alias(user), generation) for user in ("user1", "user2", "one") for generation in (0, 1)]
    secrets += [gateway.master_key, SECRET, OTHER_SECRET, OTHER_KEY]
    assert [secret for secret in secrets if secret in run.output] == []
    assert not live.rows
