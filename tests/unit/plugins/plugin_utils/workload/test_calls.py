# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""From the settings of each action to the arguments of its work on keys."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.options import usable_arguments
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.manage import adopt_keys, manage_key, manage_lab
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.workload.calls import key_call
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.workload.names import ACTIONS
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.workload.settings import settings_of

P = "ocp4_workload_litellm_virtual_keys_"
VARIABLES = {
    "guid": "abc",
    "litellm_url": "https://x.org",
    "litellm_master_key": "sk-1234",
    f"{P}packages": {"small": {"models": ["a"], "duration": "7d", "max_budget": 5}},
    f"{P}subscription_package": "small",
    f"{P}user_id_format": "ann@x.org",
    f"{P}alias_format": "virtkey-abc",
    f"{P}proof": "certain",
    f"{P}retry_count": 1,
}
CONNECTION = {"url": "https://x.org", "api_key": "sk-1234", "secret": "", "timeout": 30.0, "validate_certs": True, "retries": 1, "retry_delay": 5.0}
LAB = {"guid": "abc", "lab_alias": "", "user_base": "user"}
PROOF = {"proof": "certain", "proof_cache_time": 60.0, "proof_workers": 1}


def settings(action: str, **more: Any) -> dict[str, Any]:
    given = {**VARIABLES, "ACTION": action, **{f"{P}{name}": value for name, value in more.items()}}
    return {**settings_of(given.get, given.keys(), {})[0], "run": "run-1"}


@pytest.mark.parametrize("action", ACTIONS)
def test_the_arguments_of_every_action_are_options_of_its_work(action: str) -> None:
    call = key_call(settings(action), "sk-1234", "x" * 16, known_values=["sk-a"])
    assert call.arguments.keys() <= call.spec.keys()
    usable, refusals = usable_arguments(call.spec, call.arguments)
    assert not refusals and not ArgumentSpecValidator(dict(call.spec), **call.rules).validate(usable).error_messages


@pytest.mark.parametrize(
    ("action", "own"),
    [
        ("extend", {"extend_for": "168h", "extend_until": ""}),
        ("stop", {"blocked": True}),
        ("start", {"blocked": False}),
        ("rotate", {**PROOF, "rotation": "run-1", "rotation_grace": "0s"}),
        ("destroy", {**PROOF, "state": "absent"}),
        ("remove", {**PROOF, "state": "absent"}),
    ],
)
def test_changes_of_the_whole_lab(action: str, own: dict[str, Any]) -> None:
    call = key_call(settings(action), "sk-1234", known_values=["sk-a"])
    assert (call.work, call.arguments) == (manage_lab, {**CONNECTION, **LAB, **own})


def test_provisioning_names_keys_and_terms() -> None:
    call = key_call(settings("provision"), "sk-1234", known_values=["sk-a"])
    arguments = call.arguments
    assert call.work is manage_lab and arguments["keys"] == [{"user_id": "ann@x.org"}] and arguments["known_values"] == ["sk-a"]
    assert (arguments["package"], arguments["models"], arguments["duration"], arguments["max_budget"]) == ("small", ["a"], "7d", 5.0)
    assert (arguments["state"], arguments["metadata"], arguments["on_unrecoverable"]) == ("present", {"guid": "abc"}, "fail")


def test_adoption_takes_the_values_that_are_known() -> None:
    call = key_call(settings("adopt"), "sk-1234", known_values=["sk-a"])
    assert (call.work, call.arguments) == (adopt_keys, {**CONNECTION, **LAB, "known_values": ["sk-a"]})


def test_one_key_is_destroyed_by_its_id() -> None:
    call = key_call(settings("destroy", delete_method="by_key_id", key_id="a" * 64), "sk-1234")
    assert (call.work, call.arguments) == (manage_key, {**CONNECTION, **PROOF, "key_id": "a" * 64, "state": "absent"})


def test_a_label_of_the_caller_names_the_rotation() -> None:
    assert key_call(settings("rotate", rotation="spring", rotation_grace="1h"), "sk-1234").arguments["rotation"] == "spring"


def test_keys_that_were_deleted_elsewhere_are_proven_too() -> None:
    gone = [{"alias": "virtkey-abc", "generation": 0}]
    assert key_call(settings("destroy"), "sk-1234", deleted_elsewhere=gone).arguments["deleted_elsewhere"] == gone


def test_the_connection_has_what_is_set_of_it() -> None:
    given = settings("stop", key_header_name="x-key")
    assert key_call(given, "sk-1234").arguments["key_header_name"] == "x-key"
