# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The role ocp4_workload_litellm_bastion_profile in whole playbooks. A unit test covers quoting for every shell."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT, PlaybookRun, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm.process import MOUNTS

ROLE = "rhpds.litellm_virtual_keys.ocp4_workload_litellm_bastion_profile"
NAME = ROLE.rpartition(".")[2]
URL, KEY, MODELS = "https://litellm.example.com/v1", 'sk-it\'s $(id) `id` "x" \\ ü', ["openai/a", "openai/b"]
FACTS = {"litellm_api_base_url": URL, "litellm_virtual_key": KEY, "litellm_available_models": MODELS}


class Bastion:
    """A directory in place of the bastion's /etc/profile.d, and a way to run the role on it without root."""

    def __init__(self, directory: Path, playbook: Playbooks) -> None:
        self.directory, self.playbook = directory, playbook
        self.profile = directory / "profile.d" / "litemaas.sh"
        self.profile.parent.mkdir()

    def run(self, *arguments: str, before: list[dict[str, Any]] | None = None, check: bool = True, **variables: Any) -> PlaybookRun:
        """Run the role on a host other than localhost, after the given plays."""
        plays = [
            *(before or []),
            {"name": "Bastion", "hosts": "bastion", "gather_facts": False, "vars": {"ansible_connection": "local"}, "roles": [{"role": ROLE}]},
        ]
        book = self.directory / "play.yml"
        book.write_text(yaml.safe_dump(plays, allow_unicode=True))
        given = {f"{NAME}_path": str(self.profile), f"{NAME}_owner": "", f"{NAME}_become": False}
        return self.playbook(
            book,
            {**given, "ansible_python_interpreter": installation.PYTHON, **variables},
            "--inventory",
            "bastion,",
            *arguments,
            check=check,
        )

    def values(self) -> list[str]:
        script = '. "$1"; printf "%s\\0" "$LITELLM_API_URL" "$LITELLM_API_KEY" "$LITELLM_MODELS"'
        done = subprocess.run(["sh", "-euc", script, "sh", str(self.profile)], env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE, check=True)
        return done.stdout.decode().split("\0")[:-1]

    def files(self) -> list[str]:
        return [path.name for path in self.profile.parent.iterdir()]


@pytest.fixture
def bastion(tmp_path: Path, playbook: Playbooks) -> Bastion:
    return Bastion(tmp_path, playbook)


def on_localhost(**facts: Any) -> dict[str, Any]:
    """Return a play that sets facts on localhost, as the workload does."""
    names = {name: "{{ given_" + name.lstrip("_") + " }}" for name in facts}
    return {
        "name": "Workload",
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {f"given_{name.lstrip('_')}": facts[name] for name in facts},
        "tasks": [{"name": "Set facts", "ansible.builtin.set_fact": names, "no_log": True}],
    }


def test_life(bastion: Bastion) -> None:
    predicted = bastion.run("--check", "--diff", **FACTS)
    assert bastion.files() == []
    run = bastion.run("-vvvv", "--diff", **FACTS)
    assert bastion.values() == [URL, KEY, "openai/a, openai/b"]
    assert stat.S_IMODE(bastion.profile.stat().st_mode) == 0o640
    assert bastion.profile.stat().st_gid == os.getgid()
    assert predicted.changed > 0 and run.changed > 0
    assert "sk-it" not in predicted.output + run.output
    assert bastion.run(**FACTS, ACTION="create").changed == 0
    assert bastion.run("--check", **FACTS).changed == 0

    for action in ("extend", "start", "stop", "adopt"):
        assert bastion.run(ACTION=action).changed == 0
    rotated = bastion.run("--diff", **{**FACTS, "litellm_virtual_key": "sk-rotated"}, ACTION="rotate")
    assert bastion.values()[1] == "sk-rotated"
    assert "sk-" not in rotated.output

    assert bastion.run("--check", ACTION="remove").changed == 1
    assert bastion.files() == ["litemaas.sh"]
    assert bastion.run(ACTION="provision", agnosticd_action="destroy").changed == 1
    assert bastion.files() == []
    assert bastion.run(ACTION="destroy").changed == 0


def test_values_come_from_facts_of_localhost(bastion: Bastion) -> None:
    """The workload runs on localhost. If its facts exist, user data is not read at all, even if it is broken."""
    (bastion.directory / "provision-user-data.yaml").write_text("{")
    bastion.run(before=[on_localhost(litellm_api_base_url=URL, litellm_virtual_key="sk-1", litellm_available_models=MODELS)], output_dir=str(bastion.directory))
    assert bastion.values() == [URL, "sk-1", "openai/a, openai/b"]


def test_values_of_a_user_come_from_their_facts(bastion: Bastion) -> None:
    users = {"litellm_user1_virtual_key": "sk-1", "litellm_user2_virtual_key": "sk-2"}
    facts = on_localhost(litellm_api_base_url=URL, litellm_virtual_key="sk-1", litellm_available_models=MODELS, _litellm_user_data=users)
    bastion.run(before=[facts], **{f"{NAME}_user": "user2"})
    assert bastion.values()[1] == "sk-2"


USER_DATA = {
    "litellm_api_base_url": URL,
    "litellm_available_models": MODELS,
    "litellm_virtual_key": "sk-of-the-lab",
    "users": {"user2": {"litellm_api_base_url": URL + "/2", "litellm_virtual_key": "sk-2", "litellm_available_models": ["c"]}},
}


@pytest.mark.parametrize(("user", "expected"), [("", [URL, "sk-of-the-lab", "openai/a, openai/b"]), ("user2", [URL + "/2", "sk-2", "c"])])
def test_values_come_from_user_data(bastion: Bastion, user: str, expected: list[str]) -> None:
    """User data of an earlier run counts if only the bastion is set up again, or if the workload keeps keys out of facts."""
    (bastion.directory / "provision-user-data.yaml").write_text(yaml.safe_dump(USER_DATA))
    bastion.run(before=[on_localhost(litellm_virtual_key="")], output_dir=str(bastion.directory), **{f"{NAME}_user": user})
    assert bastion.values() == expected


def test_the_lab_s_key_is_not_given_to_a_user(bastion: Bastion) -> None:
    """A user whom the lab does not have is an error; nobody gets the key of another user."""
    run = bastion.run(check=False, **FACTS, **{f"{NAME}_user": "user9"})
    assert f"{NAME}_key is not set, and neither the fact _litellm_user_data['litellm_user9_virtual_key'] nor the user data of user9 has it" in run.output
    assert bastion.files() == []


def test_own_values_take_precedence(bastion: Bastion) -> None:
    bastion.run(**FACTS, **{f"{NAME}_url": "http://own", f"{NAME}_key": "sk-own", f"{NAME}_models": "own models"})
    assert bastion.values() == ["http://own", "sk-own", "own models"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"litellm_api_base_url": ""}, f"{NAME}_url is not set, and neither the fact litellm_api_base_url"),
        ({"litellm_virtual_key": ""}, f"{NAME}_key is not set, and neither the fact litellm_virtual_key"),
        ({"litellm_available_models": []}, f"{NAME}_models is not set, and neither the fact litellm_available_models"),
        ({"litellm_virtual_key": "sk-\0-nul"}, "has a character NUL in it"),
        ({"ACTION": "frobnicate"}, "ACTION is 'frobnicate', which this workload does not know"),
        ({f"{NAME}_path": "litemaas.sh"}, "give the whole path of a file"),
        ({f"{NAME}_path": "/"}, "give the whole path of a file"),
        ({f"{NAME}_path": "/etc/.."}, "give the whole path of a file"),
        ({f"{NAME}_acount": "ann"}, f"{NAME}_acount is set, but there is no such variable; correct it to {NAME}_account, or take it out."),
    ],
)
def test_bad_input_writes_nothing(bastion: Bastion, change: dict[str, Any], words: str) -> None:
    run = bastion.run(check=False, **{**FACTS, **change})
    assert run.count("failed") == 1
    assert words in run.output
    assert "sk-" not in run.output
    assert bastion.files() == []


def test_a_misspelt_variable_does_not_stop_the_removal(bastion: Bastion) -> None:
    bastion.profile.write_text("export LITELLM_API_KEY=sk-old\n")
    bastion.run(ACTION="destroy", **{f"{NAME}_acount": "ann"})
    assert not bastion.profile.exists()


def test_destroy_leaves_directories(bastion: Bastion) -> None:
    run = bastion.run(check=False, ACTION="destroy", **{f"{NAME}_path": str(bastion.profile.parent)})
    assert "which is a directory; name the file" in run.output
    assert bastion.profile.parent.is_dir()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed, which shows each step of a file's life")
def test_the_key_is_never_readable_by_all(bastion: Bastion) -> None:
    """A new file is private at every moment, and so is one that release 1.3.2 left with mode 0644."""
    bastion.profile.write_text("export LITELLM_API_KEY=former\n")
    bastion.profile.chmod(0o644)
    trace = bastion.directory / "trace"
    strace = ["strace", "-f", "-qq", "-e", "trace=chmod,fchmod,fchmodat,rename,renameat,renameat2", "-o", str(trace)]
    bastion.run("--syntax-check", **FACTS)  # writes the playbook
    variables = {**FACTS, f"{NAME}_path": str(bastion.profile), f"{NAME}_owner": "", f"{NAME}_become": False, "ansible_python_interpreter": installation.PYTHON}
    (bastion.directory / "vars.yml").write_text(yaml.safe_dump(variables))
    program = [installation.ANSIBLE_PLAYBOOK, "play.yml", "--inventory", "bastion,", "--extra-vars", "@vars.yml"]
    subprocess.run([*strace, *program], cwd=bastion.directory, env={**os.environ, **ANSIBLE_ENVIRONMENT}, check=True)
    steps = [line for line in trace.read_text().splitlines() if str(bastion.profile) in line and " = 0" in line]
    arrival = next(number for number, line in enumerate(steps) if "rename" in line)
    assert "chmod" in steps[0] and "0640" in steps[0] and arrival > 0
    assert "sk-it" in bastion.profile.read_text()
    source = steps[arrival].split('"')[1]
    modes = [line.split(",")[1].split(")")[0].strip() for line in trace.read_text().splitlines() if "chmod" in line and source in line]
    assert modes and int(modes[-1], 8) & 0o007 == 0, modes


STUDENT, OTHER = "daemon", "games"
LOGIN_SHELL = "runuser -u {account} -- env -i HOME=/nonexistent PATH=/usr/bin:/bin {shell} -lc env"
REAL_PROFILE = f"""
- name: Bastion
  hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
    ansible_become_method: ansible.builtin.su
  tasks:
    - name: Look whose folder it is
      ansible.builtin.command: findmnt --noheadings --output FSTYPE /etc/profile.d
      register: place
      changed_when: false
    - name: It is the test's own
      ansible.builtin.assert:
        that: place.stdout == "tmpfs"
    - name: Provision
      ansible.builtin.include_role: {{name: {ROLE}}}
    - name: Ask login shells
      ansible.builtin.command: "{{{{ item }}}}"
      loop: "{{{{ login_shells }}}}"
      register: shells
      changed_when: false
    - name: Save what they say
      ansible.builtin.copy:
        content: "{{{{ shells.results | map(attribute='stdout') | list | to_json }}}}"
        dest: "{{{{ answers }}}}"
        mode: "0600"
    - name: Look at the file
      ansible.builtin.command: stat -c '%U %G %a' /etc/profile.d/litemaas.sh
      register: file
      changed_when: false
    - name: Everything is as it should be
      ansible.builtin.assert:
        that: file.stdout == expected_file
    - name: Destroy
      ansible.builtin.include_role: {{name: {ROLE}}}
      vars: {{ACTION: destroy}}
    - name: Look again
      ansible.builtin.command: find /etc/profile.d -type f
      register: rest
      changed_when: false
    - name: Nothing is left
      ansible.builtin.assert:
        that: rest.stdout | length == 0
"""


def _own_mounts() -> bool:
    return (
        os.geteuid() == 0
        and shutil.which("runuser") is not None
        and subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not _own_mounts(), reason="only root can be two users, and mount an /etc/profile.d of its own")
@pytest.mark.parametrize(
    ("variables", "expected_file", "who"),
    [
        ({"student_name": STUDENT}, f"root {STUDENT} 640", {STUDENT: True, OTHER: False, "root": True}),
        ({"student_name": "nobody-has-this-name"}, "root root 640", {STUDENT: False, OTHER: False, "root": True}),
        ({f"{NAME}_group": "games"}, "root games 640", {STUDENT: False, OTHER: True, "root": True}),
        ({f"{NAME}_mode": "0644"}, "root root 644", {STUDENT: True, OTHER: True, "root": True}),
    ],
    ids=["student", "no such student", "group", "as 1.3.2"],
)
def test_real_login_shells(playbook: Playbooks, tmp_path: Path, variables: dict[str, Any], expected_file: str, who: dict[str, bool]) -> None:
    """Use the machine's own /etc/profile with a /etc/profile.d that only this test sees, and a real become."""
    assert pwd.getpwnam(STUDENT).pw_gid != pwd.getpwnam(OTHER).pw_gid
    book = tmp_path / "play.yml"
    book.write_text(REAL_PROFILE)
    answers = tmp_path / "answers.json"
    asked = [(account, shell) for account in who for shell in ("sh", "bash")]
    shells = [LOGIN_SHELL.format(account=account, shell=shell) for account, shell in asked]
    mine = "mount -t tmpfs -o mode=755 none /etc/profile.d && echo mine && exec cat"
    with subprocess.Popen(["unshare", "--mount", "sh", "-c", mine], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as place:
        assert place.stdout is not None and place.stdout.readline() == "mine\n"
        given = {**FACTS, "answers": str(answers), "expected_file": expected_file, "login_shells": shells, **variables}
        playbook(book, given, environment={MOUNTS: f"/proc/{place.pid}/ns/mnt"})
        place.communicate()
    environments = yaml.safe_load(answers.read_text())
    for (account, shell), environment in zip(asked, environments, strict=True):
        assert (f"LITELLM_API_KEY={KEY}" in environment.splitlines()) is who[account], (account, shell)
        assert (f"LITELLM_MODELS={', '.join(MODELS)}" in environment.splitlines()) is who[account], (account, shell)
