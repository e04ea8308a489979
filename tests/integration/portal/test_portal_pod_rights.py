# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""What the accounts of the pods, and the one that runs the role, may do: with their tokens, on a real Kubernetes API."""

from __future__ import annotations

import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreUnauthorized
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.kubernetes_secrets import Access, KubernetesStore
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.portal.pods import ADMIN, NAME, WORKER, House, objects_of
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import Account, Cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS
from kubernetes.config import incluster_config

REQUESTS_ROLE = Path(__file__).parents[3] / "roles" / "key_requests" / "vars" / "main.yml"
RIGHTS = yaml.safe_load(REQUESTS_ROLE.read_text(encoding="utf-8"))["__key_requests_rights"]
EVERYBODY = {"authorization.k8s.io", "authentication.k8s.io"}
"""The groups of what every account may do: ask who it is, and what it may do."""
RESOURCES = {
    "configmaps": ("", "ConfigMap"),
    "secrets": ("", "Secret"),
    "serviceaccounts": ("", "ServiceAccount"),
    "services": ("", "Service"),
    "deployments": ("apps", "Deployment"),
    "networkpolicies": ("networking.k8s.io", "NetworkPolicy"),
    "poddisruptionbudgets": ("policy", "PodDisruptionBudget"),
    "ingresses": ("networking.k8s.io", "Ingress"),
}
RULES = [(resource, verb) for resource in RESOURCES for verb in ("get", "create", "patch", "delete")]


@pytest.fixture(scope="module")
def house(kube: Cluster, tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("house")
    return House(kube, Playbooks(folder), folder)


@pytest.fixture
def wanted(house: House) -> dict[str, Any]:
    more = {"gateway": False, "litellm_url": "http://llm:4000", "litellm_master_key": "sk-master-0123456789", "key_portal_identity": ["basic"]}
    return {**house.variables, **more, "key_portal_kubernetes_ingress_host": "keys.example.com", "key_portal_trusted_proxies": ["10.0.0.0/8"]}


def rights(kube: Cluster, account: Account, namespace: str) -> set[tuple[str, str, str, str]]:
    """Return what an account may do in a namespace beside what everybody may, as it says itself: group, resource, name and verb."""
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    url = f"{kube.server}/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    answer = requests.post(url, json=body, headers={"Authorization": f"Bearer {account.token}"}, verify=str(kube.ca_file), timeout=30)
    return {each for rule in answer.json()["status"]["resourceRules"] for each in each_right(rule) if each[0] not in EVERYBODY}


def each_right(rule: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    names = rule.get("resourceNames") or [""]
    return {(group, what, name, verb) for group in rule["apiGroups"] for what in rule["resources"] for name in names for verb in rule["verbs"]}


def status(kube: Cluster, account: Account, path: str) -> int:
    headers = {"Authorization": f"Bearer {account.token}"}
    return requests.get(kube.server + path, headers=headers, verify=str(kube.ca_file), timeout=30).status_code


def test_portal_and_worker_have_the_rights_of_their_jobs_where_the_requests_are(house: House, wanted: dict[str, Any]) -> None:
    house.playbook("portal", wanted)
    kube = house.kube
    for name, job in ((NAME, "portal"), (WORKER, "worker")):
        account = house.account(name)
        assert rights(kube, account, house.requests) == {each for rule in RIGHTS[job] for each in each_right(rule)}
        for namespace in (house.namespace, "default", "kube-system"):
            assert rights(kube, account, namespace) == set()
        secrets = f"/api/v1/namespaces/{house.namespace}/secrets"
        assert [status(kube, account, path) for path in (secrets, f"{secrets}/{NAME}", f"{secrets}/{WORKER}")] == [403] * 3
        assert status(kube, account, f"/api/v1/namespaces/{house.requests}/secrets") == 200
    assert house.kube.call("GET", f"/api/v1/namespaces/{house.namespace}/secrets/{WORKER}")["data"]["worker_variables"], "it is there"
    house.playbook("portal", {**wanted, "key_portal_state": "absent"})


def test_the_account_that_runs_the_role_may_list_no_secrets_beside_the_pods(house: House) -> None:
    admin = house.account(ADMIN)
    assert not {(what, verb) for _group, what, _name, verb in rights(house.kube, admin, house.namespace)} & {("secrets", "list"), ("secrets", "watch")}
    found = {(what, verb) for _group, what, _name, verb in rights(house.kube, admin, house.requests)}
    assert found == {("secrets", "get"), ("secrets", "list"), ("secrets", "delete"), ("leases", "get"), ("leases", "delete")}


@pytest.mark.parametrize(
    ("resource", "verb"), [pytest.param(*rule, id="-".join(rule), marks=() if rule == ("deployments", "create") else IN_COLD_RUNS) for rule in RULES]
)
def test_one_right_less_and_the_role_fails_there(house: House, wanted: dict[str, Any], resource: str, verb: str) -> None:
    rules = [{"apiGroups": [group], "resources": [name], "verbs": [each for each in ("get", "create", "patch", "delete") if (name, each) != (resource, verb)]}
             for name, (group, _kind) in RESOURCES.items()]  # fmt: skip
    poor = house.kube.account_with_rules(house.namespace, rules)
    variables = {**wanted, "key_portal_kubernetes_connection": {"kubeconfig": str(poor.kubeconfig)}}
    if verb == "delete":
        house.playbook("portal", wanted)
        variables["key_portal_state"] = "absent"
    run = house.playbook("portal", variables, check=False)
    group, kind = RESOURCES[resource]
    words = " ".join(run.output.replace('\\"', '"').split())
    assert run.count("failed") == 1 and f'cannot {verb} resource "{resource}" in API group "{group}"' in words, kind
    house.playbook("portal", {**wanted, "key_portal_state": "absent"})
    assert objects_of(house.kube, house.namespace) == {}


def test_rights_can_be_taken_away_again(house: House) -> None:
    assert house.give_rights() == 0
    assert house.give_rights(key_portal_state="absent") == 1
    left = house.kube.kubectl("get", "roles,rolebindings,serviceaccounts", "-o", "name", namespace=house.namespace)
    assert NAME not in left
    assert NAME not in house.kube.kubectl("get", "roles,rolebindings", "-o", "name", namespace=house.requests)
    assert "key-requests-portal" in house.kube.kubectl("get", "roles", "-o", "name", namespace=house.requests), "others may use it"
    house.give_rights()


def test_a_token_that_was_renewed_is_read_again(kube: Cluster, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubelet writes a new token into the pod before the old one ends."""

    class Clock(datetime.datetime):
        ahead = datetime.timedelta()

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return datetime.datetime.now(tz) + cls.ahead

    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    account = kube.account(namespace, ["list"])
    token.write_text(account.token, encoding="ascii")
    authority.write_bytes(kube.ca_file.read_bytes())
    for name, value in (("KUBERNETES_SERVICE_HOST", "127.0.0.1"), ("KUBERNETES_SERVICE_PORT", kube.server.rpartition(":")[2]), ("HOME", str(tmp_path))):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
    monkeypatch.setattr(incluster_config, "datetime", SimpleNamespace(datetime=Clock, timedelta=datetime.timedelta))
    store = KubernetesStore(Access(namespace=namespace))
    assert store.host == kube.server and store.listing().records == ()
    token.write_text("of-somebody-else", encoding="ascii")
    assert store.listing().records == ()
    Clock.ahead = datetime.timedelta(seconds=61)
    with pytest.raises(StoreUnauthorized):
        store.listing()
    token.write_text(kube.existing_account(namespace, account.name).token, encoding="ascii")
    Clock.ahead = datetime.timedelta(seconds=122)
    assert store.listing().records == ()
