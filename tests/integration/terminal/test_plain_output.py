# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The callback `plain`, as ansible-playbook calls it."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks

PLAYBOOK = """
- name: Say
  hosts: localhost
  gather_facts: false
  vars:
    found: {keys: 2}
  tasks:
    - name: A text
      ansible.builtin.debug:
        msg: a text
    - name: A variable
      ansible.builtin.debug:
        var: found['keys']
    - name: One for each
      ansible.builtin.debug:
        msg: "item {{ item }}"
      loop: [1, 2]
    - name: Hidden
      ansible.builtin.debug:
        msg: a secret
      no_log: true
    - name: Fail for each and go on
      block:
        - name: Fail for each
          ansible.builtin.fail:
            msg: "no {{ item }}"
          loop: [1, 2]
      rescue:
        - name: Fail for each without a word
          ansible.builtin.fail:
            msg: "a secret {{ item }}"
          loop: [1]
          no_log: true
"""


def test_only_answers_and_failures_are_printed(playbook: Playbooks, tmp_path: Path) -> None:
    (tmp_path / "say.yml").write_text(PLAYBOOK)
    done = playbook(tmp_path / "say.yml", {}, check=False, environment={"ANSIBLE_STDOUT_CALLBACK": "rhpds.litellm_virtual_keys.plain"})
    assert done.returncode == 2
    assert [line for line in done.output.splitlines() if line] == [
        "Say",
        "===",
        "a text",
        "2",
        "item 1",
        "item 2",
        "FAILED: no 1",
        "FAILED: no 2",
        "FAILED: Fail for each without a word (its output is hidden by no_log)",
    ]
