# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The runs of playbooks in which the hunt takes place: each with success, with failure, and in check and diff mode."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS

LEFT_OUT = {
    "demo": "it shows the keys of its own gateway to the one who watches, and ends with the gateway",
    **dict.fromkeys(
        ["config_list_keys", "config_set_key", "destroy_key", "extend_key", "keys_create", "keys_list", "keys_revoke", "provision_key"],
        "another name of a playbook that has runs",
    ),
    "event": "it imports playbooks that have runs",
}
"""Playbooks without a run, and the reason."""

NOWHERE = "http://127.0.0.1:9"
PERSON = "ada@company.example"
REVIEWED = "rev@company.example"
LATER = "bob@company.example"


# The gateway and the mail server with their secrets are in the file only, which is the hunt's own.
BY_CONFIG = {
    **dict.fromkeys(("litellm_url", "litellm_master_key", "key_delivery_smtp_host", "key_delivery_smtp_user", "key_delivery_smtp_password"), ""),
    "config_file": "{{ requestor_config }}",
    "interval": "once",
}
AWX = {"awx_catalog_image": "registry.example.com/llm-keys:1", "awx_catalog_project_scm_url": "https://git.example.com/llm-keys.git"}


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a playbook. `variables` are added to those of the story; with `check` it runs in check mode first."""

    playbook: str
    variables: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fails: bool = False
    check: bool = True
    name: str = ""

    @property
    def label(self) -> str:
        return f"{self.playbook}{': ' + self.name if self.name else ''}"


def shared(folder: Path) -> dict[str, Any]:
    """Return the variables of every run, without the secrets. All files are written below the folder."""
    return {
        "output_dir": str(folder / "output"),
        "report_html": str(folder / "output" / "usage.html"),
        "file": str(folder / "output" / "project.env"),
        "key_requests_directory": str(folder / "queue"),
        "key_requests_rules": [
            {"name": "denylist", "config": {"list": ["*llama*"]}},
            {"name": "human_review", "config": {"email": "boss@company.example", "patterns": ["*mistral*"]}},
            {"name": "email", "config": {"pattern": "*@company.example"}},
        ],
        "key_requests_packages": {"dev": {"models": MOCK_MODELS[:1], "duration": "30d", "max_budget": 5}},
        "key_requests_expiry_notices": ["2000h"],
        "key_delivery_smtp_retries": 0,
        "litellm_retry_delay": 0.1,
    }


def story(guid: str, wrong: Mapping[str, str]) -> Sequence[Run]:
    """Return the runs in order. `wrong` holds wrong secrets: `master_key`, `smtp_password`."""
    lab = {"guid": guid}
    return (
        Run("gateway"),
        Run("init"),
        Run("serve"),
        Run("set_provider_key", {"provider": "openai", "credential": guid, "models": f"{guid}-small"}),
        Run("set_provider_key", {"provider": "opnai"}, fails=True, name="an unknown provider"),
        Run("list_provider_keys"),
        Run("create_project_key", {"project": guid, "models": MOCK_MODELS[0]}),
        Run("create_project_key", {"project": guid, "litellm_master_key": wrong["master_key"]}, fails=True, name="a wrong master key"),
        Run("revoke_virtual_key", {"project": guid}),
        Run("provision", {**lab, "num_users": 2}),
        Run("provision", {**lab, "num_users": 2}, name="again"),
        Run("provision", {**lab, "litellm_url": NOWHERE, "ocp4_workload_litellm_virtual_keys_retry_count": 0}, fails=True, name="the gateway is down"),
        Run("provision", {**lab, "litellm_master_key": wrong["master_key"]}, fails=True, name="a wrong master key"),
        Run("provision", {**lab, "ocp4_workload_litellm_virtual_keys_models": ["no-such-model"]}, fails=True, name="an unknown model"),
        Run("provision", {**lab, "num_users": 2, "ocp4_workload_litellm_virtual_keys_secret": wrong["secret"]}, fails=True, name="another secret"),
        Run("provision", {**lab, "num_users": "lots"}, fails=True, name="a refused argument"),
        Run("list_virtual_keys", lab),
        Run("extend", {**lab, "ocp4_workload_litellm_virtual_keys_extend_for": "60d"}),
        Run("rotate", {**lab, "ocp4_workload_litellm_virtual_keys_rotation": "r1"}),
        Run("each_lab", {**lab, "labs": "localhost", "lab_guid": guid, "lab_alias": f"virtkey-{guid}", "lab_action": "extend"}),
        Run("preflight", {**lab, "num_users": 2}),
        Run("preflight", {**lab, "litellm_derivation_secret": wrong["secret"]}, fails=True, name="another secret"),
        Run("reap", {"live_labs": [guid]}),
        Run("reap", {"live_file": "no-such-file", "stage": "delete"}, fails=True),
        Run("report"),
        Run("stats"),
        Run("awx", {"awx_catalog_host": NOWHERE, "awx_catalog_token": wrong["secret"], **AWX}, fails=True, name="no AWX answers"),
        Run("request", {"email": PERSON, "package": "dev"}),
        Run("request", {"email": REVIEWED, "model": MOCK_MODELS[1]}, name="for review"),
        Run("process_requests", {"key_delivery_smtp_password": wrong["smtp_password"]}, check=False, name="a wrong SMTP password"),
        Run("request", {"email": LATER, "package": "dev"}, name="while the first mail waits for its next attempt"),
        Run("process_requests", {"litellm_master_key": wrong["master_key"]}, check=False, name="a wrong master key"),
        Run("process_requests", {"key_requests_store": "pigeonhole"}, fails=True, name="a refused argument"),
        Run("process_requests"),
        Run("requests"),
        Run("approve", {"request_id": "no-such-request"}, fails=True),
        Run("deny", {"request_id": "no-such-request"}, fails=True),
        Run("process_requests", BY_CONFIG, name="a configuration of the LLM Key Requestor"),
        *(Run(name, {"request_id": "no-such-request"}, fails=True) for name in ("cancel_request", "renew_request", "extend_request", "retry_request")),
        Run("prune_requests", {"key_requests_retention": {"denied": "30d"}}),
        Run("erase_person", {"email": "nobody@company.example"}),
        Run("notices"),
        Run("policy_check", {"policy_check_rules": [{"name": "denylist", "config": {"lost": []}}]}, fails=True),
        Run("migrate", {**lab, "target_url": NOWHERE, "target_master_key": wrong["master_key"]}, fails=True, name="no target answers"),
        Run("adopt", {**lab, "litellm_master_key": wrong["master_key"]}, fails=True, name="a wrong master key"),
        Run("destroy", {**lab, "litellm_master_key": wrong["master_key"]}, fails=True, name="a wrong master key"),
        Run("destroy", lab),
        Run("destroy", lab, name="again"),
    )
