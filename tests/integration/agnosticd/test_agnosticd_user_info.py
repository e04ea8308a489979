# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`agnosticd_user_info` in whole playbooks: on its own, and inside AgnosticD, where stand-ins record their calls.

agnosticd.core is not on PyPI. The stand-in follows the sources in its repository; it only shows that the plugin is
called, and with which arguments.
"""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import PlaybookRun, Playbooks

SECRET = "sk-only-for-tests-0123456789"

RECORDING_ACTION = """
import json, os
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        with open(os.environ["RECORD"], "a") as file:
            file.write(json.dumps(self._task.args) + "\\n")
        if self._task.args.get("msg") == "fail":
            return {"failed": True, "error": "no room", "msg": "user.info: " + self._task.args["data"]["key"]}
        return {"msg": "user.info: " + str(self._task.args.get("msg")), "by": "agnosticd"}
"""
RECORDING_LOOKUP = """
from ansible.plugins.lookup import LookupBase

class LookupModule(LookupBase):
    def run(self, terms, user=None, **kwargs):
        return [f"{term} of {user} by agnosticd" for term in terms]
"""
MODULE = "DOCUMENTATION = 'module: agnosticd_user_info'\n"


def play(tmp_path: Path, tasks: str, **keywords: Any) -> Path:
    book = tmp_path / "play.yml"
    header = {"name": "Play", "hosts": "localhost", "gather_facts": False, **keywords}
    book.write_text(yaml.safe_dump([header]) + "  tasks:\n" + textwrap.indent(textwrap.dedent(tasks), "    "))
    return book


def version_2(tmp_path: Path) -> dict[str, str]:
    """Install a stand-in for the collection of AgnosticD version 2, and return the environment that finds it."""
    collection = tmp_path / "collections" / "ansible_collections" / "agnosticd" / "core"
    for kind, name, text in (
        ("action", "agnosticd_user_info", RECORDING_ACTION),
        ("modules", "agnosticd_user_info", MODULE),
        ("lookup", "agnosticd_user_data", RECORDING_LOOKUP),
    ):
        (collection / "plugins" / kind).mkdir(parents=True)
        (collection / "plugins" / kind / f"{name}.py").write_text(text)
    path = f"{tmp_path / 'collections'}{os.pathsep}{os.environ['ANSIBLE_COLLECTIONS_PATH']}"
    return {"ANSIBLE_COLLECTIONS_PATH": path, "RECORD": str(tmp_path / "record")}


def version_1(tmp_path: Path) -> dict[str, str]:
    """Put stand-ins for the plugins of AgnosticD version 1 beside its playbooks."""
    for kind, name, text in (
        ("action_plugins", "agnosticd_user_info", RECORDING_ACTION),
        ("library", "agnosticd_user_info", MODULE),
        ("lookup_plugins", "agnosticd_user_data", RECORDING_LOOKUP),
    ):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / f"{name}.py").write_text(text)
    return {"RECORD": str(tmp_path / "record")}


def recorded(tmp_path: Path) -> list[dict[str, Any]]:
    record = tmp_path / "record"
    return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []


TELL = """
- rhpds.litellm_virtual_keys.agnosticd_user_info:
    msg: "{{ greeting }}"
    data: {key: "{{ secret }}", list: [1, true, null]}
- rhpds.litellm_virtual_keys.agnosticd_user_info:
    user: "user{{ item }}"
    msg: "you are {{ item }}"
    data: "{{ {'number': item, 'text': item | string} }}"
  loop: [1, 2]
- rhpds.litellm_virtual_keys.agnosticd_user_info:
    body: "long"
- rhpds.litellm_virtual_keys.agnosticd_user_info:
    data: {count: 2}
    users: {user2: {number: 2}, user3: {key: "{{ secret }}"}}
"""
VARIABLES = {"greeting": "hello", "secret": SECRET}
SAVED = {
    "info": ["hello"],
    "body": ["long"],
    "data": {
        "key": SECRET,
        "list": [1, True, None],
        "count": 2,
        "users": {f"user{n}": {"msg": f"you are {n}", "number": n, "text": str(n)} for n in (1, 2)} | {"user3": {"key": SECRET}},
    },
}


def saved(directory: Path, action: str = "provision") -> dict[str, Any]:
    return {kind: yaml.safe_load((directory / f"{action}-user-{kind}.yaml").read_text()) for kind in ("info", "body", "data")}


def test_saves_once_and_check_mode_predicts(tmp_path: Path, playbook: Playbooks) -> None:
    book, out = play(tmp_path, TELL), tmp_path / "out"
    variables = {**VARIABLES, "output_dir": str(out), "ACTION": "provision"}
    predicted = playbook(book, variables, "--check", "--diff")
    assert not out.exists()
    run = playbook(book, variables, "--diff")
    assert "WARNING" not in run.output
    assert predicted.changed == run.changed == 4
    assert saved(out) == SAVED
    assert SECRET not in predicted.output + run.output
    assert playbook(book, variables).changed == playbook(book, variables, "--check").changed == 0
    assert saved(out) == SAVED


def test_output_dir_and_action_of_localhost_hold_for_other_hosts(tmp_path: Path, playbook: Playbooks) -> None:
    """AgnosticD sets them as facts of localhost, but also runs workloads on bastions."""
    tasks = """
    - ansible.builtin.set_fact:
        output_dir: "{{ here }}"
        ACTION: destroy
      when: inventory_hostname == 'localhost'
    - rhpds.litellm_virtual_keys.agnosticd_user_info:
        msg: "from {{ inventory_hostname }}"
    """
    out = tmp_path / "out"
    playbook(play(tmp_path, tasks, hosts="all"), {"here": str(out)}, "--inventory", "localhost,bastion1,bastion2,")
    assert sorted(yaml.safe_load((out / "destroy-user-info.yaml").read_text())) == ["from bastion1", "from bastion2", "from localhost"]


def test_forks_lose_nothing(tmp_path: Path, playbook: Playbooks) -> None:
    hosts = [f"bastion{number}" for number in range(16)]
    tasks = """
    - rhpds.litellm_virtual_keys.agnosticd_user_info:
        user: "{{ inventory_hostname }}"
        data: {n: "{{ item }}"}
        msg: "{{ item }}"
      loop: [0, 1, 2, 3]
    """
    out = tmp_path / "out"
    playbook(play(tmp_path, tasks, hosts="all"), {"output_dir": str(out)}, "--inventory", ",".join(hosts), "--forks", "16")
    users = yaml.safe_load((out / "provision-user-data.yaml").read_text())["users"]
    assert sorted(users) == sorted(hosts)
    assert {user["msg"] for user in users.values()} == {"0\n1\n2\n3"}


def test_values_are_not_templated_again(tmp_path: Path, playbook: Playbooks) -> None:
    tasks = """
    - ansible.builtin.set_fact:
        tricky: "{{ hard }}"
    - rhpds.litellm_virtual_keys.agnosticd_user_info:
        data: "{{ {'tricky': tricky} }}"
    - rhpds.litellm_virtual_keys.agnosticd_user_info:
        user: one
        msg: "{{ tricky.text }}"
    - ansible.builtin.assert:
        that: lookup('rhpds.litellm_virtual_keys.agnosticd_user_data', 'tricky').text == tricky.text
    """
    book = play(tmp_path, tasks)
    hard = "{'text': !unsafe '{{ nobody }} {% if %} \"quotes\" ''single'' ü € \U0001f600 \\ $(id) `id`', 'yes': 'no', 'lines': \"a\\n b\\n\"}"
    book.write_text(book.read_text().replace("  tasks:", f"  vars:\n    hard: {hard}\n  tasks:", 1))
    playbook(book, {"output_dir": str(tmp_path / "out")})
    data = yaml.safe_load((tmp_path / "out" / "provision-user-data.yaml").read_text())
    text = "{{ nobody }} {% if %} \"quotes\" 'single' ü € \U0001f600 \\ $(id) `id`"
    assert data == {"tricky": {"text": text, "yes": "no", "lines": "a\n b\n"}, "users": {"one": {"msg": text}}}


def test_vaulted_value_is_saved_in_the_clear(tmp_path: Path, playbook: Playbooks) -> None:
    (tmp_path / "password").write_text("password\n")
    vault = ["--vault-password-file", str(tmp_path / "password")]
    program = str(installation.PROGRAMS / "ansible-vault")
    encrypted = subprocess.run([program, "encrypt_string", *vault, "--name", "inner", SECRET], capture_output=True, text=True, check=True).stdout
    book = play(tmp_path, "- rhpds.litellm_virtual_keys.agnosticd_user_info:\n    data: '{{ outer }}'\n")
    outer = "  vars:\n    outer:\n" + textwrap.indent(encrypted.strip(), "      ") + "\n"
    book.write_text(book.read_text().replace("  tasks:", outer + "  tasks:", 1))
    playbook(book, {"output_dir": str(tmp_path / "out")}, *vault)
    assert yaml.safe_load((tmp_path / "out" / "provision-user-data.yaml").read_text()) == {"inner": SECRET}


@pytest.mark.parametrize(("no_log", "arguments"), [(True, ["-vvvv", "--diff"]), (False, ["--diff"])])
def test_secrets_in_output(tmp_path: Path, playbook: Playbooks, no_log: bool, arguments: list[str]) -> None:
    """With no_log, nothing is shown at any verbosity; without it, data is shown only with -v."""
    tasks = f"""
    - rhpds.litellm_virtual_keys.agnosticd_user_info:
        data: {{key: "{{{{ secret }}}}"}}
      no_log: {str(no_log).lower()}
    """
    run = playbook(play(tmp_path, tasks), {**VARIABLES, "output_dir": str(tmp_path / "out")}, *arguments)
    assert SECRET not in run.output
    assert yaml.safe_load((tmp_path / "out" / "provision-user-data.yaml").read_text()) == {"key": SECRET}


RECORDING_CALLBACK = """
import json, os
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "aggregate", "events"

    def v2_runner_on_ok(self, result):
        with open(os.environ["RECORD"], "a") as file:
            file.write(json.dumps({"task_action": result._task.action, "res": result._result}, default=str) + "\\n")

    v2_runner_item_on_ok = v2_runner_on_ok
"""


def test_job_events_have_what_the_portal_reads(tmp_path: Path, playbook: Playbooks) -> None:
    """Without a completion callback AgnosticD's portal takes user info from the events of the job."""
    (tmp_path / "callback_plugins").mkdir()
    (tmp_path / "callback_plugins" / "events.py").write_text(RECORDING_CALLBACK)
    playbook(play(tmp_path, TELL), VARIABLES, environment={"RECORD": str(tmp_path / "record")})
    events = [event for event in recorded(tmp_path) if event["task_action"].endswith(".agnosticd_user_info") and "results" not in event["res"]]
    assert [{name: event["res"].get(name) for name in ("msg", "data", "user")} for event in events] == [
        {"msg": "user.info: hello", "data": {"key": SECRET, "list": [1, True, None]}, "user": None},
        {"msg": "you are 1", "data": {"number": 1, "text": "1"}, "user": "user1"},
        {"msg": "you are 2", "data": {"number": 2, "text": "2"}, "user": "user2"},
        {"msg": "user.body: long", "data": None, "user": None},
        {"msg": None, "data": {"count": 2}, "user": None},
    ]


def failing(playbook: Playbooks, book: Path, variables: dict[str, Any]) -> PlaybookRun:
    run = playbook(book, variables, check=False)
    assert run.returncode != 0 and run.count("failed") == 1
    assert SECRET not in run.output
    return run


def test_failures_say_one_sentence(tmp_path: Path, playbook: Playbooks) -> None:
    (tmp_path / "file").touch()
    book = play(tmp_path, TELL)
    for variables, words in (
        ({"output_dir": str(tmp_path / "file" / "out")}, "file/out cannot be written (Not a directory); name a directory that can."),
        ({"output_dir": str(tmp_path / "out"), "ACTION": "../provision"}, "ACTION is no word such as provision or destroy"),
    ):
        assert words in failing(playbook, book, {**VARIABLES, **variables}).output
    misspelt = play(tmp_path, "- rhpds.litellm_virtual_keys.agnosticd_user_info:\n    mgs: x\n")
    assert "There is no option mgs; the options are msg, body, data, data_prefix, user, users, of_action," in failing(playbook, misspelt, VARIABLES).output


# ---------------------------------------------------------------------------------------------------- inside AgnosticD
@pytest.mark.parametrize("agnosticd", [version_1, version_2])
def test_without_output_dir_its_own_plugin_is_not_called(tmp_path: Path, playbook: Playbooks, agnosticd: Any) -> None:
    """It would write into the directory of the playbook."""
    environment = agnosticd(tmp_path)
    run = playbook(play(tmp_path, TELL), VARIABLES, "-v", environment=environment)
    assert recorded(tmp_path) == [] and "user.info: hello" in run.output
    assert not list(tmp_path.rglob("*user-*.yaml"))


@pytest.mark.parametrize("agnosticd", [version_1, version_2])
def test_files_of_another_action_are_brought_up_to_date_without_its_own_plugin(tmp_path: Path, playbook: Playbooks, agnosticd: Any) -> None:
    environment = agnosticd(tmp_path)
    tasks = """
    - rhpds.litellm_virtual_keys.agnosticd_user_info:
        of_action: provision
        data: {key: "{{ item }}"}
        msg: ["Hello {{ item }}"]
        repeats: {"Hello {}": key}
      loop: [a, b]
    """
    out = tmp_path / "out"
    playbook(play(tmp_path, tasks), {"output_dir": str(out), "ACTION": "rotate"}, environment=environment)
    assert recorded(tmp_path) == []
    assert yaml.safe_load((out / "provision-user-data.yaml").read_text()) == {"key": "b"}
    assert yaml.safe_load((out / "provision-user-info.yaml").read_text()) == ["Hello b"]


@pytest.mark.parametrize("agnosticd", [version_1, version_2])
def test_inside_agnosticd_its_own_plugin_does_it(tmp_path: Path, playbook: Playbooks, agnosticd: Any) -> None:
    environment = agnosticd(tmp_path)
    out = tmp_path / "out"
    variables = {**VARIABLES, "output_dir": str(out)}
    playbook(play(tmp_path, TELL), variables, "--check", environment=environment)
    assert recorded(tmp_path) == []  # AgnosticD's plugin writes in check mode too
    run = playbook(play(tmp_path, TELL), variables, environment=environment)
    assert recorded(tmp_path) == [
        {"msg": "hello", "data": {"key": SECRET, "list": [1, True, None]}},
        {"user": "user1", "msg": "you are 1", "data": {"number": 1, "text": "1"}},
        {"user": "user2", "msg": "you are 2", "data": {"number": 2, "text": "2"}},
        {"body": "long"},
        {"data": {"count": 2}},
        {"user": "user2", "data": {"number": 2}},
        {"user": "user3", "data": {"key": SECRET}},
    ]
    assert run.changed == 0
    assert not out.exists()


@pytest.mark.parametrize(
    ("agnosticd", "name"), [(version_2, "agnosticd.core.agnosticd_user_info"), (version_1, "agnosticd_user_info")], ids=["version 2", "version 1"]
)
def test_its_module_defaults_hold(tmp_path: Path, playbook: Playbooks, agnosticd: Any, name: str) -> None:
    """For example data_prefix, with which AgnosticD separates the data of components."""
    environment = agnosticd(tmp_path)
    tasks = """
    - rhpds.litellm_virtual_keys.agnosticd_user_info:
        data: {a: 1}
    - rhpds.litellm_virtual_keys.agnosticd_user_info:
        data: {a: 2}
        data_prefix: other_
    - module_defaults:
        NAME: {data_prefix: "inner_"}
      block:
        - rhpds.litellm_virtual_keys.agnosticd_user_info:
            data: {a: 3}
    """.replace("NAME", name)
    playbook(
        play(tmp_path, tasks, module_defaults={name: {"data_prefix": "{{ component }}_"}}),
        {"component": "hub", "output_dir": str(tmp_path)},
        environment=environment,
    )
    assert recorded(tmp_path) == [
        {"data": {"a": 1}, "data_prefix": "hub_"},
        {"data": {"a": 2}, "data_prefix": "other_"},
        {"data": {"a": 3}, "data_prefix": "inner_"},
    ]


def test_its_failure_shows_no_message(tmp_path: Path, playbook: Playbooks) -> None:
    """AgnosticD's plugin returns the message that it could not save together with the error."""
    environment = version_2(tmp_path)
    tasks = "- rhpds.litellm_virtual_keys.agnosticd_user_info:\n    msg: fail\n    data: {key: '{{ secret }}'}\n"
    run = playbook(play(tmp_path, tasks), {**VARIABLES, "output_dir": str(tmp_path)}, environment=environment, check=False)
    assert run.count("failed") == 1
    assert "agnosticd.core.agnosticd_user_info failed: no room" in run.output and SECRET not in run.output


@pytest.mark.parametrize("agnosticd", [version_1, version_2])
def test_its_lookup_is_used(tmp_path: Path, playbook: Playbooks, agnosticd: Any) -> None:
    tasks = """
    - ansible.builtin.debug:
        msg: "{{ lookup('rhpds.litellm_virtual_keys.agnosticd_user_data', 'key', user='user1') }}"
    """
    assert "key of user1 by agnosticd" in playbook(play(tmp_path, tasks), environment=agnosticd(tmp_path)).output
