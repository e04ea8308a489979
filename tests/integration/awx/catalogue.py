# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The catalogue with the data that the role computes, and how it is applied to an AWX without a process for each object."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.awx import forgive_missing, module_calls
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.awx import TOKEN, Awx

CHECKOUT = Path(__file__).parents[3]
PROJECT = CHECKOUT / "roles" / "awx_catalog" / "files" / "project"
SECRETS = {
    "master": "sk-the-master-key",
    "derivation": "what-values-come-from",
    "smtp": "what-the-postman-says",
    "kube": "the-token-of-kubernetes",
    "target": "sk-of-the-other-gateway",
}
HOOK = {
    "name": "LLM keys hook",
    "notification_type": "webhook",
    "notification_configuration": {"url": "https://hook.example.com", "http_method": "POST", "headers": {}, "username": "", "password": ""},
}
SETTINGS = {
    "awx_catalog_token": TOKEN,
    "awx_catalog_project_scm_url": "https://git.example.com/llm-keys.git",
    "awx_catalog_image": "registry.example.com/llm-keys:2",
    "awx_catalog_litellm_url": "https://llm.example.com",
    "awx_catalog_litellm_master_key": SECRETS["master"],
    "awx_catalog_derivation_secret": SECRETS["derivation"],
    "awx_catalog_target_url": "https://new.example.com",
    "awx_catalog_target_master_key": SECRETS["target"],
    "awx_catalog_smtp_host": "mail.example.com",
    "awx_catalog_smtp_password": SECRETS["smtp"],
    "awx_catalog_kubernetes_host": "https://kube.example.com",
    "awx_catalog_kubernetes_token": SECRETS["kube"],
    "awx_catalog_rules": [{"name": "human_review", "config": {"patterns": ["*"], "email": "approvers@example.com"}}],
    "awx_catalog_notifications": [HOOK],
    "awx_catalog_report_notifications": [HOOK["name"]],
}
RESOLVE = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - ansible.builtin.include_role:
        name: rhpds.litellm_virtual_keys.awx_catalog
        tasks_from: validate
        public: true
    - ansible.builtin.copy:
        content: >-
          {{ {'objects': dict(__awx_catalog_objects.keys()
                              | zip(lookup('ansible.builtin.vars', *(__awx_catalog_objects.values() | list), wantlist=True))),
              'leaving': __awx_catalog_removal_order, 'connection': __awx_catalog_connection} | to_json }}
        dest: "{{ resolved }}"
        mode: "0600"
      no_log: true
"""


def outcome(module: str, options: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Return the result of a module of awx.awx, even if it ends with a traceback, as `schedule` does for a missing template."""
    try:
        return call_module(f"ansible_collections.awx.awx.plugins.modules.{module}", options, check=check)
    except TypeError as error:
        return {"failed": True, "msg": f"Module failed: {error}"}


class Catalogue:
    """The catalogue with the role's templates rendered, and the calls by which the action applies it to AWX."""

    def __init__(self, resolved: dict[str, Any]) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = resolved["objects"]
        self.leaving: list[str] = resolved["leaving"]
        self.connection: dict[str, Any] = resolved["connection"]

    def bring(self, awx: Awx, state: str = "present", *, check: bool = False) -> dict[str, bool]:
        """Return whether each object changed. Does without reading the machine's certificates, which takes half of the time."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", os.devnull)
            return self._bring(awx, state, check)

    def _bring(self, awx: Awx, state: str, check: bool) -> dict[str, bool]:
        changed = {}
        for kind in self.objects if state == "present" else [*self.leaving, "organization"]:
            for item in self.objects[kind]:
                name = f"{kind} {item.get('name') or item['role'] + ' ' + item['teams'][0]}"
                changed[name] = False
                for module, options in module_calls(kind, item, state):
                    answer = outcome(module, {**self.connection, "controller_host": awx.url, **options}, check=check)
                    result = forgive_missing(answer, state, check)
                    assert not result.get("failed"), f"{name}: {result}"
                    changed[name] |= result["changed"]
        return changed

    def template(self, name: str) -> dict[str, Any]:
        (found,) = [each for each in self.objects["job_template"] if each["name"] == f"LLM keys: {name}"]
        return found
