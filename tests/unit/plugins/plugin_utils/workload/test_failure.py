# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.workload.failure import cause_of

P = "ocp4_workload_litellm_virtual_keys_"


@pytest.mark.parametrize(
    ("result", "cause"),
    [
        ({"failed": True, "msg": "No."}, "No."),
        ({"msg": "One or more items failed", "results": [{"changed": True}, {"failed": True, "msg": "No room."}, {"failed": True, "msg": "No."}]}, "No room."),
        ({"msg": "All items completed", "results": [{"unreachable": True, "msg": "Gone."}]}, "Gone."),
        ({"rc": 1, "module_stderr": "Killed"}, "Killed"),
        ({"rc": 1}, "A task of this role failed and did not say why; run again with -vvv."),
    ],
)
def test_the_cause_is_that_of_the_task_or_of_its_first_item_that_failed(result: dict[str, Any], cause: str) -> None:
    assert cause_of(result) == cause


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("no TLS; give the certificate of its authority in ca_path.", f"no TLS; give the certificate of its authority in {P}ca_path."),
        ("or set on_unrecoverable to rotate or keep.", f"or set {P}on_unrecoverable to rotate or keep."),
        ("check that url is the address of a LiteLLM gateway", "check that litellm_url is the address of a LiteLLM gateway"),
        ("check litellm_master_key or api_key.", "check litellm_master_key."),
        ("api_key is empty or holds a blank", "litellm_master_key is empty or holds a blank"),
        (f"{P}ca_path is x", f"{P}ca_path is x"),
        ("the curl is broken", "the curl is broken"),
    ],
)
def test_the_remedy_names_the_variables_of_the_role(message: str, shown: str) -> None:
    assert cause_of({"msg": message}) == shown
