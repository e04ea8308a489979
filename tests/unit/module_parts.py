# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Helpers for tests of the modules that manage keys: a served model, and calls of a module against it."""

from __future__ import annotations

from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel

SECRET = "the secret of these tests"


class Modules:
    """Runs modules against one gateway. Settings of the task (check, diff, no_log) begin with an underscore."""

    def __init__(self, served: ServedModel) -> None:
        self.served = served

    def __call__(self, name: str, **arguments: Any) -> dict[str, Any]:
        task = {option: arguments.pop(f"_{option}") for option in ("check", "diff", "no_log") if f"_{option}" in arguments}
        connection = {"url": self.served.url, "api_key": MASTER_KEY, "retries": 0, "retry_delay": 0}
        if name != "virtual_key_info":
            connection["secret"] = SECRET
        given = {option: value for option, value in {**connection, **arguments}.items() if value is not None}
        return run_module(name, given, **task)

    def run_ok(self, name: str, **arguments: Any) -> dict[str, Any]:
        result = self(name, **arguments)
        assert not result.get("failed"), result["msg"]
        return result
