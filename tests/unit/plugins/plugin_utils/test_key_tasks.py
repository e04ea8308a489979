# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Work on keys in Ansible's own process has the arguments, the result and the errors that it has in a module."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.key_tasks import HereTask, run_here

SPEC = {
    "alias": {"type": "str", "required": True},
    "count": {"type": "int", "default": 3},
    "api_key": {"type": "str", "no_log": True},
    "secret": {"type": "str", "no_log": True},
}


def run(work: Any, *, no_log: bool = False, check_mode: bool = False, rules: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    task: Any = SimpleNamespace(check_mode=check_mode, no_log=no_log, diff=True)
    return run_here(task, work, SPEC, rules or {}, {"alias": "a", **arguments})


def test_arguments_are_converted_and_null_is_not_given() -> None:
    seen: dict[str, Any] = {}

    def work(task: HereTask) -> dict[str, Any]:
        seen.update(task.params, check=task.check_mode, hidden=task.no_log, diff=task._diff)
        return {"changed": True}

    assert run(work, count="7", api_key=None, no_log=True, check_mode=True) == {"changed": True, "warnings": []}
    assert seen == {"alias": "a", "count": 7, "api_key": None, "secret": None, "check": True, "hidden": True, "diff": True}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"alias": None}, "alias"), ({"alias": True}, "alias is true"), ({"count": "many"}, "count is the text 'many'"), ({"nonsense": 1}, "nonsense")],
)
def test_arguments_that_cannot_be_used_are_refused_before_any_work(wrong: dict[str, Any], words: str) -> None:
    result = run(pytest.fail, **wrong)
    assert (result["failed"], result["code"], result["changed"]) == (True, "bad_input", False)
    assert words in result["msg"]


def test_rules_count() -> None:
    result = run(pytest.fail, rules={"required_together": [("api_key", "secret")]}, api_key="sk-1234")
    assert (result["failed"], result["code"]) == (True, "bad_input") and "required together" in result["msg"]


def raising(error: Exception) -> Any:
    def work(task: HereTask) -> dict[str, Any]:
        task.warn("take care")
        raise error

    return work


def test_errors_are_those_of_a_module() -> None:
    assert run(raising(ValueError("no"))) == {"failed": True, "msg": "no", "code": "bad_input", "changed": False, "warnings": ["take care"]}
    gone = run(raising(errors.ServerFailed("gone", status=503)))
    assert (gone["failed"], gone["msg"], gone["code"], gone["status"]) == (True, "gone", "server_failed", 503)


def test_work_may_end_as_a_module_does() -> None:
    assert run(lambda task: task.fail_json(msg="no library", code="missing_library")) == {
        "failed": True,
        "msg": "no library",
        "code": "missing_library",
        "warnings": [],
    }


def test_secrets_are_censored_in_results_warnings_and_errors() -> None:
    def work(task: HereTask) -> dict[str, Any]:
        task.warn("the key sk-12345678 is weak")
        return {"changed": False, "deep": [{"echo": "it was sk-12345678."}], "other": "s3cr3t-s3cr3t"}

    assert "12345678" not in str(run(work, api_key="sk-12345678")) and "s3cr3t" not in str(run(work, secret="s3cr3t-s3cr3t"))
    assert "12345678" not in str(run(raising(ValueError("not sk-12345678")), api_key="sk-12345678"))
