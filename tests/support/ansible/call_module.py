# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Call a module for an integration test: in this process, or by the Ansible that installation.py names."""

from __future__ import annotations

import base64
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT, COLLECTION
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm import runner

TIMEOUT = 900
"""Seconds."""
RESULT = re.compile(r"RESULT=([A-Za-z0-9+/=]+)")


class _Literal(str):
    """A text in which Ansible must not look for templates."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Literal, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


def call_module(name: str, arguments: Mapping[str, Any], *, check: bool = False, diff: bool = False, no_log: bool = True) -> dict[str, Any]:
    """Return what the module returns, `failed` included. `no_log` is the task's. A name with dots is that of another collection's module."""
    if installation.COLD or installation.CORE:
        return _call_by_playbook(name, arguments, {"check_mode": check, "diff": diff, "no_log": no_log})
    return run_module(name, arguments, check=check, diff=diff, no_log=no_log)


def _call_by_playbook(name: str, arguments: Mapping[str, Any], keywords: Mapping[str, bool]) -> dict[str, Any]:
    module = name.removeprefix("ansible_collections.").replace(".plugins.modules.", ".") if "." in name else f"{COLLECTION}.{name}"
    call = {"name": "Call the module", module: _literal(arguments), "register": "called", "ignore_errors": True, **keywords}
    show = {"name": "Show its result", "ansible.builtin.debug": {"msg": "RESULT={{ called | to_json | b64encode }}"}}
    play = {"name": "One module", "hosts": "localhost", "gather_facts": False, "tasks": [call, show]}
    with tempfile.TemporaryDirectory() as folder:  # a private one, as secrets may be among the arguments
        book = Path(folder, "play.yml")
        book.write_text(yaml.dump([play], Dumper=_Dumper, sort_keys=False), encoding="utf-8")
        done = runner.run([str(book)], {**os.environ, **ANSIBLE_ENVIRONMENT}, {"ANSIBLE_STDOUT_CALLBACK": "default"}, Path.cwd(), TIMEOUT)
    found = RESULT.search(done.stdout)
    assert found, f"{module} ended with {done.returncode}:\n{done.stdout}"
    result: dict[str, Any] = json.loads(base64.b64decode(found[1]))
    return result


def _literal(value: Any) -> Any:
    if isinstance(value, str):
        return _Literal(value) if "{" in value else value
    if isinstance(value, Mapping):
        return {key: _literal(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_literal(each) for each in value]
    return value
