# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Every playbook reaches a gateway with a certificate of a private authority, with variables alone and with the environment alone."""

from __future__ import annotations

import dataclasses
import re
import shutil
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes import cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.recording_proxy import RecordingProxy

CHECKOUT = Path(__file__).parents[3]
WITHOUT_GATEWAY = {
    "approve": "changes a request in the store",
    "awx": "talks to AWX",
    "cancel_request": "changes a request in the store",
    "demo": "has a gateway of its own",
    "deny": "changes a request in the store",
    "erase_person": "changes requests in the store",
    "extend_request": "writes a request into the store",
    "gateway": "runs the gateway",
    "init": "runs the gateway",
    "portal": "starts a worker that calls it, see tests/integration/portal",
    "portal_stop": "stops what portal has started",
    "prune_requests": "removes requests from the store",
    "renew_request": "writes a request into the store",
    "request": "writes a request into the store",
    "requests": "reads the store",
    "retry_request": "changes a request in the store",
    "serve": "runs the gateway",
}
"""Playbooks that never call the gateway over its address, and what they do instead."""
EMPTY = dict.fromkeys(("url", "master_key", "ca_path", "validate_certs", "timeout", "retries", "retry_delay"), "")


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a playbook, and the message of its failure if it must fail."""

    playbook: str
    variables: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    failure: str = ""


def runs(guid: str, folder: Path, target: Gateway) -> list[Run]:
    """Return the playbooks in an order in which each has something to do."""
    lab = {"guid": guid}
    living = {"live_labs": [guid], "max_share": 100}
    provider = {"provider": "openai", "credential": guid, "models": f"{guid}-small", "key_file": str(folder / "provider.key")}
    project = {"project": guid, "models": MOCK_MODELS[0], "file": str(folder / "project.env")}
    queue = {
        "key_requests_directory": str(folder / "queue"),
        "key_requests_mail": False,
        "key_requests_packages": {guid: {"models": MOCK_MODELS[:1], "duration": "1h"}},
        # Whatever the rule decides, the gateway is asked which models it serves.
        "key_requests_rules": [{"name": "denylist", "config": {"list": ["*"]}}],
    }
    target_of_migration = {"target_url": target.url, "target_master_key": target.master_key}
    return [
        Run("provision", lab),
        Run("extend", lab),
        Run("adopt", lab),
        Run("list_virtual_keys", lab),
        Run("preflight", lab),
        Run("reap", living),
        Run("stats", lab),
        Run("report", lab),
        # Both gateways are read before the target turns out to be the source.
        Run("migrate", {**lab, **target_of_migration}, failure="the same gateway"),
        Run("rotate", lab),
        Run("each_lab", {**lab, "labs": "localhost", "lab_guid": guid, "lab_alias": f"virtkey-{guid}", "lab_action": "extend"}),
        Run("destroy", lab),
        Run("set_provider_key", provider),
        Run("list_provider_keys"),
        Run("create_project_key", project),
        Run("revoke_virtual_key", {"project": guid}),
        Run("request", {**queue, "email": "ada@example.com", "model": MOCK_MODELS[0]}),
        Run("process_requests", queue),
        Run("notices", queue),
        Run("policy_check", {"policy_check_rules": [{"name": "email", "config": {"pattern": "*@example.com"}}]}),
    ]


@dataclasses.dataclass(frozen=True)
class Front:
    """The gateway behind HTTPS, and the certificate of the authority to trust."""

    proxy: RecordingProxy
    authority: Path


@pytest.fixture(scope="module")
def front(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    files = tmp_path_factory.mktemp("tls")
    cluster.make_certificates(files)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "server.crt", files / "server.key")
    with RecordingProxy(gateway.url, context) as proxy:
        yield Front(proxy, files / "ca.crt")


@pytest.fixture
def guid(gateway: Gateway, unique: str) -> Iterator[str]:
    yield unique
    for row in gateway.get("/v2/model/info", size=1000)["data"]:
        if unique in row["model_name"]:
            gateway.request("POST", "/model/delete", json={"id": row["model_info"]["id"]})
    gateway.request("DELETE", f"/credentials/{unique}")
    if tokens := [row["token"] for row in gateway.keys_with(unique)]:
        gateway.post("/key/delete", keys=tokens)


@pytest.mark.parametrize("source", ["variables", "environment"])
def test_every_playbook_reaches_a_gateway_with_a_private_authority(
    source: str, front: Front, gateway: Gateway, guid: str, playbook: Playbooks, tmp_path: Path
) -> None:
    url, key = front.proxy.url, gateway.master_key
    if source == "variables":
        shutil.copy(front.authority, tmp_path / "authority.crt")
        # A relative path starts at the directory in which the playbook is run.
        settings: dict[str, Any] = {"url": url, "master_key": key, "ca_path": "authority.crt", "timeout": 20, "retries": 0, "retry_delay": 0.5}
        environment = {}
    else:
        settings = EMPTY
        environment = {"LITELLM_BASE_URL": url, "LITELLM_MASTER_KEY": key, "REQUESTS_CA_BUNDLE": str(front.authority)}
    (tmp_path / "provider.key").write_text("sk-of-a-provider\n")
    for run in runs(guid, tmp_path, gateway):
        front.proxy.take()
        variables = {**{f"litellm_{name}": value for name, value in settings.items()}, **run.variables}
        done = playbook(run.playbook, variables, check=False, environment=environment)
        assert bool(done.returncode) == bool(run.failure) and run.failure in " ".join(done.output.split()), f"{run.playbook}:\n{done.output}"
        # Linting a chain asks the gateway only where litellm_url says so.
        silent = run.playbook in WITHOUT_GATEWAY or (run.playbook == "policy_check" and source == "environment")
        assert bool(front.proxy.take()) != silent, f"{run.playbook} did not use the address that it was given"


def test_every_playbook_is_run(gateway: Gateway) -> None:
    playbooks = {path.stem for path in (CHECKOUT / "playbooks").glob("*.yml") if not is_another_name(path)}
    assert playbooks == {run.playbook for run in runs("", Path(), gateway)} | WITHOUT_GATEWAY.keys()


def is_another_name(playbook: Path) -> bool:
    """Return whether the playbook only imports another one."""
    return all("ansible.builtin.import_playbook" in play for play in yaml.safe_load(playbook.read_text()))


@pytest.mark.parametrize("name", ["list_virtual_keys", "provision", "notices"])
def test_an_unknown_authority_is_refused_unless_certificates_are_not_checked(
    name: str, front: Front, gateway: Gateway, guid: str, playbook: Playbooks, tmp_path: Path
) -> None:
    variables = {"litellm_url": front.proxy.url, "litellm_master_key": gateway.master_key, "guid": guid, "key_requests_directory": str(tmp_path)}
    refused = playbook(name, variables, check=False)
    said = " ".join(refused.output.split()).replace("\\", "")
    assert refused.returncode and re.search(r"give the certificate of its authority in (ocp4_workload_litellm_virtual_keys_)?ca_path", said)
    playbook(name, {**variables, "litellm_validate_certs": False})
