# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the module key_migration returns when something goes wrong. How keys move: tests/integration."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.run_module import run_module

NOWHERE = "http://127.0.0.1:9"


def migrate(**arguments: Any) -> dict[str, Any]:
    return run_module("key_migration", {"api_key": "master-of-the-source-0001", "guid": "abc", "retries": 0, "retry_delay": 0, **arguments}, no_log=False)


def test_known_values_do_not_bring_a_master_key_to_light() -> None:
    keys = {"master-of-the-source-0001", "master-of-the-target-0001"}
    result = migrate(url=NOWHERE, target={"url": f"{NOWHERE}9", "api_key": "master-of-the-target-0001"}, known_values=sorted(keys))
    assert result["code"] == "unreachable" and not [key for key in keys if key in json.dumps(result)]
