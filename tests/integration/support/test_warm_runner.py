# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The runner of playbooks and modules for the other tests behaves like ansible-playbook and python."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm import process, runner

pytestmark = pytest.mark.skipif(installation.COLD, reason="nothing is warm in this run")

PLAY = """
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - ansible.builtin.debug:
        msg: >-
          {{ lookup('ansible.builtin.env', 'SAID') }} {{ lookup('ansible.builtin.pipe', 'pwd') }} {{ given }}
          {{ lookup('ansible.builtin.config', 'DEFAULT_FORKS') }}
    - ansible.builtin.stat:
        path: "{{ lookup('ansible.builtin.env', 'HOME') }}"
    - ansible.builtin.command: "{{ given }}"
      changed_when: false
"""

MODULE = """
import os, sys
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({"way": {}})
way = module.params["way"]
if way == "raise":
    raise RuntimeError("as asked")
if way == "die":
    os.kill(os.getpid(), 9)
mask = os.umask(0)
parent = open(f"/proc/{os.getppid()}/cmdline").read()
module.exit_json(
    surroundings=f"{mask:o} {os.getcwd()} {os.environ['SAID']} {len(sys.argv)} {module.from_json(sys.stdin.read() or '0')} {os.environ['ODD']}",
    forked="modules.py" in parent,
)
"""
MODULE_PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - probe:
        way: "{{ way }}"
      environment:
        ODD: "it's $HOME = 1 && x"
      register: probed
    - ansible.builtin.debug:
        msg: "{{ probed.surroundings }} forked={{ probed.forked }}"
"""


@pytest.fixture
def play(tmp_path: Path) -> Path:
    file = tmp_path / "play.yml"
    file.write_text(PLAY)
    return file


@pytest.mark.parametrize("given", ["true", "false"])
def test_it_ends_and_prints_as_the_installed_one(tmp_path: Path, play: Path, given: str) -> None:
    usual, own = {**os.environ, **ANSIBLE_ENVIRONMENT}, {"SAID": "hello"}
    arguments = [str(play), "-e", f"given={given}"]
    warm = runner.run(arguments, usual, own, tmp_path, 60)
    cold = runner.installed(arguments, usual, own, tmp_path, 60)
    assert (warm.args[0], Path(cold.args[0]).name) == ("warm", "ansible-playbook"), "one of each"
    assert f"hello {tmp_path} {given} 5" in warm.stdout
    assert warm.returncode == cold.returncode == (0 if given == "true" else 2)

    def comparable(output: str) -> list[str]:
        return [line for line in output.splitlines() if '"delta"' not in line and '"start"' not in line and '"end"' not in line]

    assert len(warm.stdout.splitlines()) == len(cold.stdout.splitlines())
    assert [line for line in comparable(warm.stdout) if "fatal" not in line] == [line for line in comparable(cold.stdout) if "fatal" not in line]


def test_settings_of_ansible_are_read_and_the_second_run_with_them_is_warm(play: Path, playbook: Playbooks) -> None:
    runs = [runner.run([str(play), "-e", "given=true"], os.environ, {"ANSIBLE_FORKS": forks}, play.parent, 60) for forks in ("17", "16", "17", "17")]
    assert [Path(run.args[0]).name for run in runs] == ["ansible-playbook", "ansible-playbook", "warm", "warm"]
    assert [forks for run in runs for forks in ("true 16", "true 17") if forks in run.stdout] == ["true 17", "true 16", "true 17", "true 17"]
    (play.parent / "ansible.cfg").write_text("[defaults]\nforks = 18\n")
    assert "true 18" in playbook(play, {"given": "true"}, environment={"ANSIBLE_CONFIG": str(play.parent / "ansible.cfg")}).output


def test_a_run_that_takes_too_long_is_killed_and_others_go_on(play: Path, playbook: Playbooks) -> None:
    began = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        playbook(play, {"given": "sleep 40"}, timeout=3)
    assert time.monotonic() - began < 30
    assert "true 5" in playbook(play, {"given": "true"}).output


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "probe.py").write_text(MODULE)
    file = tmp_path / "probe.yml"
    file.write_text(MODULE_PLAY)
    return file


@pytest.mark.parametrize("own", [{}, {"ANSIBLE_FORKS": "3"}, {"ANSIBLE_PIPELINING": "false"}, {"PYTHONUTF8": "1"}, {"TZ": "Asia/Tokyo"}])
def test_a_module_finds_its_surroundings(probe: Path, playbook: Playbooks, own: dict[str, str]) -> None:
    before = os.umask(0o027)
    try:
        output = playbook(probe, {"way": "tell"}, environment={"SAID": "hello", **own}).output
    finally:
        os.umask(before)
    assert f"27 {probe.parent} hello 1 0 it's $HOME = 1 && x forked={own.keys() <= {'ANSIBLE_FORKS', 'ANSIBLE_PIPELINING'}}" in output


@pytest.mark.parametrize(("way", "words"), [("raise", "as asked"), ("die", '"rc": 137')])
def test_a_failed_module_is_reported_as_usual(probe: Path, playbook: Playbooks, way: str, words: str) -> None:
    lengths = []
    for run in (runner.run, runner.installed):
        output = Playbooks(probe.parent, run)(probe, {"way": way}, environment={"SAID": ""}, check=False).output
        assert words in output and "failed=1" in output
        lengths.append(len(output.splitlines()))
    assert lengths[0] == lengths[1]


def test_a_module_ends_with_the_process_that_waits_for_it(tmp_path: Path, playbook: Playbooks, probe: Path) -> None:
    playbook(probe, {"way": "tell"}, environment={"SAID": ""})
    warm = runner.Warm.of({})
    (tmp_path / "slow.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n")
    environment = {**os.environ, **warm.handing_over(os.environ)}
    with open(tmp_path / "output", "w+") as output, open(os.devnull) as nothing:
        request = process.Request(0o022, str(tmp_path), [installation.PYTHON, str(tmp_path / "slow.py")], environment)
        with pytest.raises(TimeoutError):
            process.ask(warm.folder / "modules", request, (nothing.fileno(), output.fileno(), output.fileno()), timeout=1)
    pid = int((tmp_path / "output").read_text())
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_typed_ansible_playbook_is_a_fork_on_request(tmp_path: Path, play: Path) -> None:
    environment = {**os.environ, **ANSIBLE_ENVIRONMENT, "SAID": "typed"}
    environment |= runner.handing_all_over(environment)

    def typed() -> subprocess.CompletedProcess[str]:
        command = [installation.ANSIBLE_PLAYBOOK, str(play), "-e", "given=false"]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    run = typed()
    assert run.returncode == 2 and f"typed {tmp_path} false 5" in run.stdout
    environment[runner.PLAYBOOKS] = str(tmp_path / "nobody")
    assert typed().returncode == 2, "without a process that takes it, the playbook runs by itself"
    (tmp_path / "play.yml").unlink()
    with socket.socket(socket.AF_UNIX) as door, ThreadPoolExecutor(1) as pool:
        door.bind(str(tmp_path / "nobody"))
        door.listen()
        finished = pool.submit(typed)
        caller, _address = door.accept()
        with caller:
            length, files, _flags, _sender = socket.recv_fds(caller, process.HEADER_DIGITS, 3)
            request = process.Request.decode(caller.recv(int(length), socket.MSG_WAITALL))
            for file in files:
                os.close(file)
            caller.sendall(b"%d" % (7 << 8))
            assert finished.result(60).returncode == 7
    assert request.arguments[1:] == [str(play), "-e", "given=false"] and request.environment["SAID"] == "typed"


def test_a_tests_secrets_do_not_stay_in_the_processes(tmp_path: Path) -> None:
    warm = runner.Warm({**os.environ, "LITELLM_API_KEY": "sk-of-one-test"})
    try:
        for each in warm.processes:
            environment = Path(f"/proc/{each.pid}/environ").read_bytes()
            assert b"LITELLM_VIRTUAL_KEYS_WARM=" in environment and b"sk-of-one-test" not in environment
    finally:
        warm.close()
    assert not warm.folder.exists()
