# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The portal on a real Kubernetes API: with the rights it needs, without them, and while the API is down."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.catalogue_snapshot import (
    publish_catalogue,
    published_catalogue,
    snapshot_of,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Forbidden
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.kubernetes_secrets import Access, KubernetesStore
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import PASS_RULES, Account, Cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import ADMIN, PortalFactory, PortalProcess

ROLE = Path(__file__).parents[3] / "roles" / "key_requests"
RIGHTS = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))["__key_requests_rights"]
AT = "2026-11-21T04:00:00Z"


@pytest.fixture
def account(kube: Cluster, namespace: str) -> Account:
    return kube.account_with_rules(namespace, RIGHTS["portal"])


@pytest.fixture
def portal(run_portal: PortalFactory, account: Account) -> PortalProcess:
    return run_portal(**_variables(account))


def _variables(account: Account) -> dict[str, str]:
    return {"PORTAL_STORE": "kubernetes", "K8S_AUTH_KUBECONFIG": str(account.kubeconfig), "PORTAL_LISTING_SECONDS": "0", "PORTAL_STORE_TIMEOUT": "2"}


@pytest.fixture
def worker(kube: Cluster, namespace: str) -> KubernetesStore:
    """The store, with the rights of passes."""
    return KubernetesStore(Access(kubeconfig=str(kube.account_with_rules(namespace, PASS_RULES).kubeconfig)))


def test_from_asking_to_the_decision(portal: PortalProcess, worker: KubernetesStore) -> None:
    request_id = portal.ask("ada@company.com")
    assert worker.get(request_id).email == "ada@company.com"
    (listed,) = portal.call("GET", "/api/admin/requests", auth=ADMIN)
    assert (listed["request_id"], listed["state"]) == (request_id, "pending")
    portal.call("POST", f"/api/admin/requests/{request_id}/approve", auth=ADMIN)
    assert worker.get(request_id).state == "approved"
    assert [event["event"] for event in portal.call("GET", "/api/v1/admin/audit", auth=ADMIN)["events"]] == ["submitted", "approved"]


def test_what_passes_tell(portal: PortalProcess, worker: KubernetesStore) -> None:
    assert published_catalogue(worker) is None
    for models in (["granite"], ["granite", "mistral", "openai/*"]):
        publish_catalogue(worker, snapshot_of(AT, models, packages={"dev": {"models": ["granite"]}}))
    assert published_catalogue(worker) == snapshot_of(AT, ["granite", "mistral", "openai/*"], packages={"dev": {"models": ["granite"]}})
    with worker.turn(5) as turn:
        turn.report({"started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "seconds": 0.1, "failures": []})
    assert [model["id"] for model in portal.call("GET", "/api/models")["models"]] == ["granite", "mistral"]
    assert portal.call("GET", "/health")["status"] == "healthy"
    assert portal.call("GET", "/api/admin/requests?filter=all", auth=ADMIN) == []
    assert worker.listing().set_aside == ()


def test_what_passes_tell_needs_the_rights_of_passes_only(kube: Cluster, namespace: str, account: Account) -> None:
    """The role gives passes no right to create Secrets, and a portal cannot write what passes tell."""
    passes = KubernetesStore(Access(kubeconfig=str(kube.account_with_rules(namespace, RIGHTS["worker"]).kubeconfig)))
    names = [f"provider/{number}-{'x' * 200}" for number in range(3_000)]
    publish_catalogue(passes, snapshot_of(AT, names))
    publish_catalogue(passes, snapshot_of(AT, ["granite"]))
    of_the_portal = KubernetesStore(Access(kubeconfig=str(account.kubeconfig)))
    assert published_catalogue(of_the_portal) == snapshot_of(AT, ["granite"])
    with pytest.raises(Forbidden, match="patch leases"):
        publish_catalogue(of_the_portal, snapshot_of(AT, ["evil"]))


def test_two_who_decide_at_once(portal: PortalProcess, worker: KubernetesStore) -> None:
    request_id = portal.ask("ada@company.com")
    version = portal.call("GET", f"/api/v1/admin/requests/{request_id}", auth=ADMIN)["request"]["version"]

    def decide(name: str) -> int:
        body = {"version": version, **({"reason": "No."} if name == "deny" else {})}
        return requests.post(f"{portal.url}/api/v1/admin/requests/{request_id}/{name}", json=body, auth=ADMIN, timeout=30).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(decide, ["approve", "deny"] * 4)) == [200] + [409] * 7
    assert len(worker.get(request_id).history) == 2


def test_a_secret_that_somebody_broke_breaks_no_list(portal: PortalProcess, kube: Cluster, namespace: str) -> None:
    broken, good = portal.ask("ada@company.com"), portal.ask("bob@company.com")
    kube.kubectl("label", "secret", f"llm-key-request-{broken}", "request-state=whatever", "--overwrite", namespace=namespace)
    assert [entry["request_id"] for entry in portal.call("GET", "/api/admin/requests?filter=all", auth=ADMIN)] == [good]
    assert len(portal.call("GET", "/api/v1/admin/requests", auth=ADMIN)["set_aside"]) == 1
    assert portal.call("GET", f"/api/admin/requests/{broken}", auth=ADMIN, status=500) == {"detail": "Failed to fetch request details"}


def test_while_the_api_is_down(portal: PortalProcess, kube: Cluster) -> None:
    request_id = portal.ask("ada@company.com")
    with kube.api_down():
        time.sleep(1.1)
        assert portal.call("GET", "/health", status=503)["components"]["store"]["status"] == "down"
        assert portal.call("POST", "/api/request-key", json={"llm": "granite", "email": "bob@company.com"})["success"] is False
        portal.call("GET", "/api/admin/requests", auth=ADMIN, status=500)
        portal.call("GET", "/api/v1/admin/requests", auth=ADMIN, status=503)
        assert portal.call("GET", "/") == {"message": "LLM Key Requestor API", "status": "active"}
    time.sleep(2.1)
    assert [entry["request_id"] for entry in portal.call("GET", "/api/admin/requests", auth=ADMIN)] == [request_id]


def test_without_rights(run_portal: PortalFactory, kube: Cluster, namespace: str) -> None:
    portal = run_portal(**_variables(kube.account(namespace, ["list"], resources=["configmaps"])))
    assert portal.call("POST", "/api/request-key", json={"llm": "granite", "email": "bob@company.com"})["success"] is False
    assert namespace not in str(portal.call("GET", "/api/v1/admin/requests", auth=ADMIN, status=503))
    assert "its Role the verb list on secrets" in portal.log.read_text(), "the administrator finds what is missing"
