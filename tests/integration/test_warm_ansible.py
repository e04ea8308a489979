# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""What runs the playbooks of the other tests does as ansible-playbook does."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration import warm_ansible

from gateway_fixtures import ANSIBLE_ENVIRONMENT, Playbooks

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


@pytest.fixture
def play(tmp_path: Path) -> Path:
    file = tmp_path / "play.yml"
    file.write_text(PLAY)
    return file


@pytest.mark.parametrize("given", ["true", "false"])
def test_it_ends_and_prints_as_the_installed_one(tmp_path: Path, play: Path, given: str) -> None:
    usual, own = {**os.environ, **ANSIBLE_ENVIRONMENT}, {"SAID": "hello"}
    arguments = [str(play), "-e", f"given={given}"]
    warm = warm_ansible.run(arguments, usual, own, tmp_path, 60)
    cold = warm_ansible.run(arguments, usual, {**own, "ANSIBLE_RETRY_FILES_ENABLED": "no"}, tmp_path, 60)
    assert (warm.args[0], Path(cold.args[0]).parent.name) == ("ansible-playbook", "bin"), "one of each"
    assert f"hello {tmp_path} {given} 5" in warm.stdout
    assert warm.returncode == cold.returncode == (0 if given == "true" else 2)

    def comparable(output: str) -> list[str]:
        return [line for line in output.splitlines() if '"delta"' not in line and '"start"' not in line and '"end"' not in line]

    assert len(warm.stdout.splitlines()) == len(cold.stdout.splitlines())
    assert [line for line in comparable(warm.stdout) if "fatal" not in line] == [line for line in comparable(cold.stdout) if "fatal" not in line]


def test_settings_of_ansible_are_read(play: Path, playbook: Playbooks) -> None:
    assert "true 17" in playbook(play, {"given": "true"}, environment={"ANSIBLE_FORKS": "17"}).output
    (play.parent / "ansible.cfg").write_text("[defaults]\nforks = 18\n")
    assert "true 18" in playbook(play, {"given": "true"}, environment={"ANSIBLE_CONFIG": str(play.parent / "ansible.cfg")}).output


def test_a_run_that_takes_too_long_is_killed_and_others_go_on(play: Path, playbook: Playbooks) -> None:
    began = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        playbook(play, {"given": "sleep 40"}, timeout=3)
    assert time.monotonic() - began < 30
    assert "true 5" in playbook(play, {"given": "true"}).output
