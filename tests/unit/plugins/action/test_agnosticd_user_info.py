# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The result of the action. Whole playbooks: tests/integration."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.template import Templar
from ansible_collections.rhpds.litellm_virtual_keys.plugins.action.agnosticd_user_info import ActionModule


def run(arguments: dict[str, Any], variables: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
    loader = DataLoader()
    task = Task.load({"action": "ansible.builtin.debug", "args": arguments, "check_mode": check}, loader=loader)
    no_host = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))  # the action runs on the controller only
    action = ActionModule(task=task, connection=no_host, play_context=PlayContext(), loader=loader, templar=Templar(loader, variables), shared_loader_obj=None)
    result: dict[str, Any] = action.run(task_vars=variables)
    return result


def seen(result: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a result that AgnosticD's portal reads."""
    return {name: result[name] for name in ("msg", "data", "user") if name in result}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"msg": "a"}, {"msg": "user.info: a"}),
        ({"msg": ["a", "b"]}, {"msg": ["user.info: a", "user.info: b"]}),
        ({"msg": "a", "user": "u"}, {"msg": "a", "user": "u"}),
        ({"msg": ["a"], "user": "u"}, {"msg": ["a"], "user": "u"}),
        ({"body": "a"}, {"msg": "user.body: a"}),
        ({"body": "a", "user": "u"}, {"user": "u"}),
        ({"data": {"k": [1]}}, {"data": {"k": [1]}}),
        ({"data": {"k": 1}, "data_prefix": "p_", "user": "u"}, {"data": {"p_k": 1}, "user": "u"}),
        ({"data": {}, "user": "u"}, {"user": "u"}),
        ({"users": {"u": {"k": 1}}}, {}),
    ],
)
def test_result_is_what_the_portal_reads(tmp_path: Path, arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    assert seen(run(arguments, {"output_dir": str(tmp_path)})) == expected
    assert seen(run(arguments, {"output_dir": str(tmp_path)}, check=True)) == expected
    assert seen(run(arguments, {})) == expected


def test_changed_and_written(tmp_path: Path) -> None:
    variables = {"output_dir": str(tmp_path), "ACTION": "destroy"}
    for check in (True, False):
        result = run({"msg": "a"}, variables, check=check)
        assert (result["changed"], result["written"]) == (True, [str(tmp_path / "destroy-user-info.yaml")])
        assert (tmp_path / "destroy-user-info.yaml").exists() is not check
    result = run({"msg": "a"}, variables)
    assert (result["changed"], result["written"]) == (False, [])


def test_without_output_dir_nothing_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run({"msg": "a", "data": {"b": 1}}, {"playbook_dir": str(tmp_path)})
    assert (result["changed"], result["written"]) == (False, [])
    assert list(tmp_path.iterdir()) == []


def test_the_files_of_another_action_can_be_brought_up_to_date(tmp_path: Path) -> None:
    variables = {"output_dir": str(tmp_path), "ACTION": "rotate"}
    run({"msg": "Key: old", "data": {"key": "old"}, "of_action": "provision"}, variables)
    result = run({"data": {"key": "new"}, "repeats": {"Key: {}": "key"}, "of_action": "provision"}, variables)
    assert sorted(path.rpartition("/")[2] for path in result["written"]) == ["provision-user-data.yaml", "provision-user-info.yaml"]
    assert (tmp_path / "provision-user-info.yaml").read_text() == "---\n- 'Key: new'\n"
    assert not list(tmp_path.glob("rotate-*"))


def test_messages_are_shown_and_data_is_not() -> None:
    assert run({"msg": "a"}, {})["_ansible_verbose_always"]
    assert not run({"msg": "a", "data": {"b": 1}}, {})["_ansible_verbose_always"]
    assert not run({"msg": "a", "users": {"u": {"b": 1}}}, {})["_ansible_verbose_always"]


def test_failure_has_a_sentence_and_no_value(tmp_path: Path) -> None:
    (tmp_path / "provision-user-data.yaml").write_text("a: }sk-broken-by-hand")
    result = run({"msg": "sk-in-message", "data": {"b": "sk-in-data"}}, {"output_dir": str(tmp_path)})
    assert result["failed"]
    assert result["msg"] == f"{tmp_path}/provision-user-data.yaml is not YAML in line 1; repair or remove it."
    assert "sk-" not in str(result)
    assert run({"mgs": "a"}, {})["msg"].startswith("There is no option mgs;")
