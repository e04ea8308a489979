# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role key_portal in its mode kubernetes, on a real Kubernetes API that checks every object and runs no pods."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.kubernetes_secrets import Access, KubernetesStore
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.portal.pods import NAME, WORKER, House, objects_of
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import PlaybookRun, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import Cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.tls import TlsProvider

SECRETS = {"master": "sk-master-0123456789", "derivation": "derivation-0123456789", "mail": "mail-0123456789"}
ALWAYS = {
    ("configmaps", NAME),
    ("deployments", NAME),
    ("networkpolicies", NAME),
    ("poddisruptionbudgets", NAME),
    ("secrets", NAME),
    ("serviceaccounts", NAME),
    ("services", NAME),
}
OF_THE_WORKER = {(kind, WORKER) for kind in ("deployments", "networkpolicies", "secrets", "serviceaccounts")}


@pytest.fixture(scope="module")
def shared_house(kube: Cluster, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house for tests that leave it empty."""
    folder = tmp_path_factory.mktemp("house")
    return House(kube, Playbooks(folder), folder)


@pytest.fixture
def house(shared_house: House) -> House:
    assert objects_of(shared_house.kube, shared_house.namespace) == {}
    return shared_house


@pytest.fixture
def wanted(house: House) -> dict[str, Any]:
    return {
        **house.variables,
        "gateway": False,
        "litellm_url": "https://litellm.example.com:8443",
        "litellm_master_key": SECRETS["master"],
        "litellm_derivation_secret": SECRETS["derivation"],
        "key_portal_public_url": "https://keys.example.com",
        "key_portal_smtp_host": "mail.example.com",
        "key_portal_smtp_user": "keys",
        "key_portal_smtp_password": SECRETS["mail"],
    }


def hidden(run: PlaybookRun, *more: str) -> PlaybookRun:
    for secret in (*SECRETS.values(), *more):
        assert secret not in run.output
        assert base64.b64encode(secret.encode()).decode() not in run.output
    return run


Objects = dict[tuple[str, str], dict[str, Any]]


def versions(objects: Objects) -> dict[tuple[str, str], str]:
    return {name: each["metadata"]["resourceVersion"] for name, each in objects.items()}


def data_of(secret: dict[str, Any]) -> dict[str, str]:
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}


def pod_of(objects: Objects, name: str) -> dict[str, Any]:
    found: dict[str, Any] = objects["deployments", name]["spec"]["template"]
    return found


def ports_of(policy: dict[str, Any]) -> set[int]:
    return {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}


class PodLife:
    """One portal from its first objects to its removal. Each step goes on where the one before it ended."""

    def __init__(self, house: House, wanted: dict[str, Any]) -> None:
        self.house, self.wanted = house, wanted
        self.first: Objects = {}
        """The objects after the first run."""
        self.generated: list[str] = []
        """The secrets that the first run chose."""

    def run(self, *arguments: str, check: bool = True, **more: Any) -> PlaybookRun:
        return hidden(self.house.playbook("portal", {**self.wanted, **more}, *arguments, check=check), *self.generated)

    def objects(self) -> Objects:
        return objects_of(self.house.kube, self.house.namespace)

    def check_mode_asks_the_api_and_writes_nothing(self) -> None:
        assert self.run("--check", "--diff", "-vvv").changed > 0
        assert self.objects() == {}

    def applies_hardened_pods_with_secrets_of_their_own(self) -> None:
        run = self.run("--diff", "-vvv")
        assert run.changed > 0 and "The portal is at https://keys.example.com." in run.output
        first = self.first = self.objects()
        assert set(first) == ALWAYS | OF_THE_WORKER
        portal, worker = (data_of(first["secrets", name]) for name in (NAME, WORKER))
        self.generated = [portal["PORTAL_SECRET"], portal["ADMIN_PASSWORD"]]
        assert [len(value) for value in self.generated] == [64, 24] and hidden(run, *self.generated)
        assert not any(SECRETS[name] in str(portal) for name in ("master", "derivation")) and portal["SMTP_PASSWORD"] == SECRETS["mail"]
        variables = json.loads(worker["worker_variables"])
        assert variables.items() >= {("litellm_master_key", SECRETS["master"]), ("key_requests_namespace", self.house.requests)}
        assert not set(self.generated) & set(variables.values())
        everything = (*SECRETS.values(), *self.generated)
        assert not any(secret in str(each) for (kind, _name), each in first.items() if kind != "secrets" for secret in everything)
        for name in (NAME, WORKER):
            assert_is_hardened(pod_of(first, name)["spec"], name)
        assert (first["deployments", NAME]["spec"]["replicas"], first["deployments", WORKER]["spec"]["replicas"]) == (2, 1)
        assert first["deployments", WORKER]["spec"]["strategy"] == {"type": "Recreate"}

    def the_api_admits_its_pods(self) -> None:
        """The namespace enforces the Pod Security Standard `restricted`."""
        for name in (NAME, WORKER):
            pod = {**pod_of(self.first, name), "metadata": {"generateName": f"{name}-"}}
            assert self.house.kube.call("POST", f"/api/v1/namespaces/{self.house.namespace}/pods", pod)["status"]["phase"] == "Pending"

    def the_network_is_as_narrow_as_it_can_be(self) -> None:
        policies = {name: self.first["networkpolicies", name] for name in (NAME, WORKER)}
        assert all(policy["spec"]["policyTypes"] == ["Ingress", "Egress"] for policy in policies.values())
        assert "ingress" not in policies[WORKER]["spec"]
        assert policies[NAME]["spec"]["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]
        assert (ports_of(policies[NAME]), ports_of(policies[WORKER])) == ({53, 5353, 443, 6443, 587}, {53, 5353, 443, 6443, 587, 8443})
        selectors = {name: policies[name]["spec"]["podSelector"]["matchLabels"] for name in policies}
        for name, selector in selectors.items():
            assert selector.items() <= pod_of(self.first, name)["metadata"]["labels"].items()
        assert not selectors[NAME].items() <= pod_of(self.first, WORKER)["metadata"]["labels"].items()

    def a_second_run_changes_nothing(self) -> None:
        assert self.run().changed == 0
        assert versions(self.objects()) == versions(self.first)

    def another_chain_rolls_the_worker_alone(self) -> None:
        self.wanted["portal_worker"] = {"key_requests_rules": [{"name": "email", "config": {"pattern": "*@example.com"}}]}
        self.run()
        second = self.objects()
        assert pod_of(second, WORKER)["metadata"]["annotations"] != pod_of(self.first, WORKER)["metadata"]["annotations"]
        assert versions(second)["deployments", NAME] == versions(self.first)["deployments", NAME]

    def new_administrators_roll_the_portal_alone(self) -> None:
        before = self.objects()
        self.run(key_portal_admins=["ann@example.com"])
        after = self.objects()
        assert pod_of(after, NAME)["metadata"]["annotations"] != pod_of(before, NAME)["metadata"]["annotations"]
        assert versions(after)["deployments", WORKER] == versions(before)["deployments", WORKER]
        assert data_of(after["secrets", NAME])["PORTAL_SECRET"] == self.generated[0], "nobody is signed out"

    def an_ingress_certificates_and_a_config(self, ca_dir: Path, config: Path) -> None:
        before = self.objects()
        config.write_text("litellm: {api_key: sk-of-the-config}\nmodels: [{id: granite, title: One}]\n", encoding="utf-8")
        clients = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]
        more = {
            "key_portal_ca_dir": str(ca_dir),
            "key_portal_config_file": str(config),
            "key_portal_public_url": "",
            "key_portal_kubernetes_ingress_host": "keys.company.com",
            "key_portal_kubernetes_ingress_tls_secret": "keys-tls",
            "key_portal_trusted_proxies": ["10.128.0.0/14"],
            "key_portal_kubernetes_allowed_clients": clients,
            "key_portal_kubernetes_api_peers": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
        }
        assert "sk-of-the-config" not in self.run("--diff", "-vvv", **more).output
        found = self.objects()
        assert set(found) == ALWAYS | OF_THE_WORKER | {("ingresses", NAME)}
        assert data_of(found["secrets", NAME])["PORTAL_URL"] == "https://keys.company.com"
        assert found["networkpolicies", NAME]["spec"]["ingress"][0]["from"] == clients
        assert {"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]}.items() <= found["networkpolicies", WORKER]["spec"]["egress"][1].items()
        configuration = found["configmaps", NAME]["data"]
        assert yaml.safe_load(configuration["config.yaml"])["models"] == [{"id": "granite", "title": "One"}] and "sk-" not in configuration["config.yaml"]
        assert "sk-of-the-config" in data_of(found["secrets", WORKER])["config.yaml"]
        for name in (NAME, WORKER):
            pod = pod_of(found, name)
            assert pod["metadata"]["annotations"] != pod_of(before, name)["metadata"]["annotations"]
            assert [each["name"] for each in pod["spec"]["initContainers"]] == ["trust"]
            assert {"name": "SSL_CERT_FILE", "value": "/trust/ca-bundle.pem"} in pod["spec"]["containers"][0]["env"]
            assert_is_hardened(pod["spec"], name)

    def what_is_no_longer_wanted_goes(self) -> None:
        self.run(key_portal_worker=False, key_portal_kubernetes_network_policy=False)
        assert set(self.objects()) == ALWAYS - {("networkpolicies", NAME)}
        self.run()
        assert set(self.objects()) == ALWAYS | OF_THE_WORKER

    def stopped_runs_no_pod(self) -> None:
        assert self.run(key_portal_state="stopped").changed > 0
        assert [self.objects()["deployments", name]["spec"]["replicas"] for name in (NAME, WORKER)] == [0, 0]
        assert self.run(key_portal_state="stopped").changed == 0
        self.run()
        assert [self.objects()["deployments", name]["spec"]["replicas"] for name in (NAME, WORKER)] == [2, 1]

    def absent_removes_what_the_role_made_and_keeps_the_requests(self) -> None:
        others, store = self.somebody_elses(), self.requests_of_two_people()
        assert self.run("--diff", key_portal_state="absent").changed > 0
        assert self.objects() == {} and len(store.listing().records) == 2 and all(self.house.kube.call("GET", each) for each in others)
        assert self.run(key_portal_state="absent").changed == 0

    def absent_deletes_the_requests_with_consent(self) -> None:
        others, store = self.somebody_elses(), self.requests_of_two_people()
        consent = {"key_portal_state": "absent", "key_portal_delete_data": True}
        assert self.run("--check", **consent).changed > 0 and len(store.listing().records) == 2
        run = self.run("-vvv", "--diff", **consent)
        assert run.changed > 0 and "ann@example.com" not in run.output
        assert self.objects() == {} and store.listing().records == () and store.last_pass() is None
        assert all(self.house.kube.call("GET", each) for each in others)
        assert self.run(**consent).changed == 0

    def somebody_elses(self) -> list[str]:
        """Create Secrets of others in both namespaces, and return their paths."""
        other = {"metadata": {"generateName": "somebody-elses-", "labels": {"app.kubernetes.io/name": "litellm-key-portal"}}}
        folders = [f"/api/v1/namespaces/{namespace}/secrets" for namespace in (self.house.namespace, self.house.requests)]
        return [f"{folder}/{self.house.kube.call('POST', folder, other)['metadata']['name']}" for folder in folders]

    def requests_of_two_people(self) -> KubernetesStore:
        """Return the store, with their requests and the report of a pass in it."""
        store = KubernetesStore(Access(kubeconfig=str(self.house.kube.admin.kubeconfig), namespace=self.house.requests))
        for email in ("ann@example.com", "bob@example.com"):
            Desk(store).ask(Wish(email, package="dev"))
        with store.turn(5) as turn:
            turn.report({})
        return store


def test_its_life(house: House, wanted: dict[str, Any]) -> None:
    life = PodLife(house, wanted)
    life.check_mode_asks_the_api_and_writes_nothing()
    life.applies_hardened_pods_with_secrets_of_their_own()
    life.the_api_admits_its_pods()
    life.the_network_is_as_narrow_as_it_can_be()
    life.a_second_run_changes_nothing()
    life.another_chain_rolls_the_worker_alone()
    life.absent_removes_what_the_role_made_and_keeps_the_requests()


@IN_COLD_RUNS
def test_the_rest_of_its_life(house: House, wanted: dict[str, Any], tls_provider: TlsProvider, tmp_path: Path) -> None:
    life = PodLife(house, wanted)
    life.applies_hardened_pods_with_secrets_of_their_own()
    life.an_ingress_certificates_and_a_config(tls_provider.ca_dir, tmp_path / "config.yaml")
    life.what_is_no_longer_wanted_goes()
    life.new_administrators_roll_the_portal_alone()
    life.stopped_runs_no_pod()
    life.absent_deletes_the_requests_with_consent()


def assert_is_hardened(pod: dict[str, Any], name: str) -> None:
    """What the Pod Security Standard `restricted` wants, and OpenShift's restricted-v2, which chooses the user itself."""
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["serviceAccountName"] == name
    (container,) = pod["containers"]
    for each in (*pod.get("initContainers", ()), container):
        assert each["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert set(each["resources"]) == {"requests", "limits"}
    assert {"startupProbe", "livenessProbe", "lifecycle"} <= set(container)
    assert ("readinessProbe" in container) == (name == NAME)
    assert {kind for volume in pod["volumes"] for kind in volume if kind != "name"} <= {"configMap", "secret", "emptyDir"}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"key_portal_image": "registry.example.com/keys:latest"}, "name the image with a version or a digest"),
        ({"key_portal_state": "absent", "key_portal_kubernetes_namespace": ""}, "key_portal_kubernetes_namespace is empty"),
        ({"key_portal_kubernetes_connection": {"kubeconfig": "/nowhere", "api_key": "hush-hush-123"}}, "Could not find or access"),
    ],
)
def test_bad_input_is_refused(house: House, wanted: dict[str, Any], bad: dict[str, Any], message: str) -> None:
    run = house.playbook("portal", {**wanted, **bad}, "-vvv", check=False)
    assert run.count("failed") == 1
    assert message in " ".join(run.output.split())
    assert "hush-hush-123" not in hidden(run).output
    assert objects_of(house.kube, house.namespace) == {}


def test_an_object_of_another_owner_stays(house: House, wanted: dict[str, Any]) -> None:
    house.kube.call("POST", f"/api/v1/namespaces/{house.namespace}/secrets", {"metadata": {"name": WORKER}, "data": {"a": "Yg=="}})
    run = house.playbook("portal", wanted, check=False)
    assert f"the Secret {WORKER}, which this role has not made" in " ".join(run.output.split())
    found = objects_of(house.kube, house.namespace)
    assert set(found) == {("secrets", WORKER)} and found["secrets", WORKER]["data"] == {"a": "Yg=="}
    house.kube.call("DELETE", f"/api/v1/namespaces/{house.namespace}/secrets/{WORKER}")
