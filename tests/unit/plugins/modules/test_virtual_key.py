# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Reply
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import Fault, ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.module_parts import SECRET, Modules

KEY = {"alias": "project-blue", "models": ["granite"], "duration": "1d"}


@pytest.fixture
def modules() -> Iterator[Modules]:
    with ServedModel(LitellmModel()) as served:
        yield Modules(served)


def test_create_modify_block_unblock_rotate_delete(modules: Modules) -> None:
    steps: list[tuple[dict[str, Any], str]] = [
        (KEY, "created"),
        ({**KEY, "max_budget": 5}, "updated"),
        ({"alias": "project-blue", "state": "blocked"}, "updated"),
        ({"alias": "project-blue"}, "updated"),
        ({"alias": "project-blue", "rotation": "a"}, "rotated"),
        ({"alias": "project-blue", "state": "absent"}, "deleted"),
    ]
    for arguments, action in steps:
        predicted = modules.run_ok("virtual_key", **arguments, _check=True)
        real = modules.run_ok("virtual_key", **arguments)
        assert (predicted["key"]["action"], real["key"]["action"]) == (action, action)
        assert predicted["changed"] and real["changed"]
        again = modules.run_ok("virtual_key", **arguments)
        assert not again["changed"], arguments
        assert again["key"].get("action", "none") == ("unchanged" if action != "deleted" else "none")
    assert not modules.served.model.rows


def test_a_blocked_key_does_not_work_and_keeps_its_value(modules: Modules) -> None:
    value = modules.run_ok("virtual_key", **KEY)["key"]["value"]
    assert value == derive.value(SECRET, "project-blue", 0) and modules.served.model.works(value)
    blocked = modules.run_ok("virtual_key", alias="project-blue", state="blocked")
    assert blocked["key"]["blocked"] and not modules.served.model.works(value)
    assert modules.run_ok("virtual_key", **KEY)["key"]["value"] == value
    assert modules.served.model.works(value)


def test_by_key_id(modules: Modules) -> None:
    key = modules.run_ok("virtual_key", **KEY)["key"]
    assert modules.run_ok("virtual_key", key_id=key["key_id"], state="blocked")["key"]["blocked"]
    gone = modules.run_ok("virtual_key", key_id=key["key_id"], state="absent")
    assert gone["key"]["alias"] == "project-blue" and gone["revocation"]["proven"] == ["project-blue"]
    assert not modules.run_ok("virtual_key", key_id=key["key_id"], state="absent")["changed"]
    assert modules("virtual_key", key_id=key["key_id"], state="blocked")["code"] == "no_such_lab"


def test_a_key_id_deletes_that_key_only_where_the_gateway_ignores_it(modules: Modules) -> None:
    key = modules.run_ok("virtual_key", **KEY)["key"]
    for number in range(5):
        modules.run_ok("virtual_key", **{**KEY, "alias": f"other-{number}"})
    modules.served.model.ignores = ["key_hash"]
    assert not modules.run_ok("virtual_key", key_id="0" * 64, state="absent")["changed"]
    assert modules.run_ok("virtual_key", key_id=key["key_id"], state="blocked")["counts"]["updated"] == 1
    assert modules.run_ok("virtual_key", key_id=key["key_id"], state="absent")["counts"]["deleted"] == 1
    assert len(modules.served.model.rows) == 5


def test_an_unreadable_key_is_named_in_a_warning(modules: Modules, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, warning: warnings.append(warning))
    modules.run_ok("virtual_key", **KEY)
    (row,) = modules.served.model.rows.values()
    row["spend"] = "much"
    result = modules.run_ok("virtual_key_info")
    assert [key["alias"] for key in result["virtual_keys"]] == ["project-blue"]
    (warning,) = warnings
    assert "The key project-blue has settings that cannot be read (spend)" in warning


def test_deletion_takes_former_values_and_no_namesakes(modules: Modules) -> None:
    modules.run_ok("virtual_key", **KEY)
    modules.run_ok("virtual_key", **KEY, rotation="a", rotation_grace="1h")
    modules.run_ok("virtual_key", **{**KEY, "alias": "project-blue-2"})
    modules.run_ok("virtual_key", **{**KEY, "alias": "a-project-blue"})
    assert len(modules.served.model.rows) == 4
    assert modules.run_ok("virtual_key", alias="project-blue", state="absent")["counts"]["deleted"] == 2
    assert sorted(row["key_alias"] for row in modules.served.model.rows.values()) == ["a-project-blue", "project-blue-2"]


@pytest.mark.parametrize("state", ["present", "blocked", "absent"])
@pytest.mark.parametrize(
    "name", [{"alias": ""}, {"alias": " "}, {"alias": "../x"}, {"key_id": ""}, {"key_id": "abc"}, {"key_id": "sk-a-value-by-mistake-01"}, {"key_id": "A" * 64}]
)
def test_a_name_that_names_no_key_is_refused_before_anything_is_asked(modules: Modules, state: str, name: dict[str, str]) -> None:
    """LiteLLM takes an empty alias or id for all keys."""
    modules.served.model.handle("POST", "/key/generate", {}, {"key": "sk-somebody-elses-000", "key_alias": None})
    result = modules("virtual_key", **name, state=state)
    assert result["failed"] and "sk-a-value" not in result["msg"]
    assert modules.served.requests == [] and len(modules.served.model.rows) == 1


def test_exactly_one_name_is_needed(modules: Modules) -> None:
    assert {modules("virtual_key", **names).get("code") for names in ({}, {"alias": "a", "key_id": "b" * 64}, {"nonsense": 1})} == {"bad_input"}
    assert "one of the following is required" in modules("virtual_key")["msg"]
    assert "mutually exclusive" in modules("virtual_key", alias="a", key_id="b" * 64)["msg"]
    assert "alias" in modules("virtual_key", key_id="b" * 64)["msg"]


def test_a_key_of_a_lab_stays_the_labs(modules: Modules) -> None:
    modules.run_ok("virtual_keys", guid="abc", keys=[{"user": "user1"}], models=["granite"])
    modules.run_ok("virtual_key", alias="virtkey-abc-user1", max_budget=3)
    (row,) = modules.served.model.rows.values()
    assert row["metadata"]["litellm_virtual_keys"]["lab"] == "virtkey-abc"
    assert modules.run_ok("virtual_keys", guid="abc", state="absent")["counts"]["deleted"] == 1


def test_a_partial_failure_reports_what_was_done_to_the_key(modules: Modules) -> None:
    made = modules.run_ok("virtual_key", **KEY)["key"]
    modules.served.requests.clear()
    modules.served.faults = [Fault("/key/list", Reply(reset=True), when=lambda _request: bool(modules.served.asked("/key/update")))]
    result = modules("virtual_key", **KEY, max_budget=5)
    assert (result["code"], result["changed"], result["counts"]["updated"]) == ("incomplete", True, 1)
    assert (result["key"]["key_id"], result["key"]["action"], result["key"]["max_budget"]) == (made["key_id"], "updated", 5)
    assert "virtual_keys" not in result and "value" not in result["key"]


def test_a_key_made_by_hand(modules: Modules) -> None:
    modules.served.model.handle("POST", "/key/generate", {}, {"key": "sk-made-by-hand-01234", "key_alias": "project-blue"})
    assert modules("virtual_key", **KEY)["code"] == "unrecoverable"
    kept = modules.run_ok("virtual_key", **KEY, on_unrecoverable="keep")
    assert kept["key"]["recoverable"] is False and "value" not in kept["key"]
    rotated = modules.run_ok("virtual_key", **KEY, on_unrecoverable="rotate")
    assert rotated["key"]["action"] == "rotated" and modules.served.model.works(rotated["key"]["value"])
    assert not modules.served.model.works("sk-made-by-hand-01234")


def test_a_note_that_a_key_in_service_was_retired_is_not_believed(modules: Modules) -> None:
    made = modules.run_ok("virtual_key", **KEY)["key"]
    (row,) = modules.served.model.rows.values()
    row["metadata"]["litellm_virtual_keys"]["retired_from"] = "somebody"
    again = modules.run_ok("virtual_key", **KEY)["key"]
    assert (again["key_id"], again["alias"], again["retired_from"]) == (made["key_id"], made["alias"], "")
