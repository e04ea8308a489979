# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Every play that calls the gateway takes its settings from the same variables, as the guide "Reach the gateway" says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]
PLAYBOOKS = CHECKOUT / "playbooks"
COLLECTION = "rhpds.litellm_virtual_keys"
GROUP = f"group/{COLLECTION}.litellm"
MODULES = {f"{COLLECTION}.{name}" for name in yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text())["action_groups"]["litellm"]}

SETTINGS = {
    "url": "{{ litellm_url | default(omit, true) }}",
    "api_key": "{{ litellm_master_key | default(omit, true) }}",
    "ca_path": "{{ litellm_ca_path | ansible.builtin.expanduser | ansible.builtin.realpath if litellm_ca_path | default('', true) else omit }}",
    "key_header_name": "{{ litellm_key_header_name | default(omit, true) }}",
    # A value such as 0 or false is not an empty one.
    **{
        name: f"{{{{ litellm_{name} if litellm_{name} | default('') not in ['', none] else omit }}}}"
        for name in ("validate_certs", "timeout", "retries", "retry_delay")
    },
}
OWN_GATEWAY = {"demo.yml"}
"""Playbooks that talk to a gateway of their own only."""


def tasks_of(tasks: list[dict[str, Any]], folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the tasks, including those in blocks and in included files."""
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks_of(task.get(part, []), folder)
        for include in ("ansible.builtin.include_tasks", "ansible.builtin.import_tasks"):
            if include in task:
                path = folder / task[include]
                yield from tasks_of(yaml.safe_load(path.read_text()), path.parent)


def calls_of(play: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Yield the options of each call of a module of the action group."""
    return [task[name] or {} for task in tasks_of(play.get("tasks", []), folder) for name in task.keys() & MODULES]


def plays() -> Iterator[Any]:
    for path in sorted(PLAYBOOKS.glob("*.yml")):
        for play in yaml.safe_load(path.read_text()):
            if path.name not in OWN_GATEWAY:
                yield pytest.param(path, play, id=f"{path.name}: {play['name']}")


@pytest.mark.parametrize(("path", "play"), list(plays()))
def test_a_play_has_the_settings_if_it_calls_the_gateway(path: Path, play: dict[str, Any]) -> None:
    calls = calls_of(play, path.parent)
    assert play.get("module_defaults", {}) == ({GROUP: SETTINGS} if calls else {})
    assert not [call for call in calls if call.keys() & SETTINGS.keys()], "no task sets a gateway setting itself"


def test_some_plays_call_the_gateway() -> None:
    talking = {parameters.values[0].stem for parameters in plays() if calls_of(parameters.values[1], PLAYBOOKS)}
    assert {"list_virtual_keys", "list_provider_keys", "reap", "migrate", "preflight"} <= talking
