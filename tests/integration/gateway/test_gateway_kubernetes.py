# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role litellm_gateway in its mode kubernetes, on a real Kubernetes API that checks every object and runs no pods."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import PlaybookRun, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import Account, Cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.tls import TlsProvider

RBAC = Path(__file__).parents[3] / "roles" / "litellm_gateway" / "templates" / "kubernetes" / "rbac.yaml.j2"
IMAGE = "registry.example.com/berriai/litellm-non_root:v1.102.4"
SECRETS = {"password": "database-0123456789", "redis": "redis-0123456789", "provider": "provider-0123456789", "master": "sk-master-0123456789"}
KINDS = {
    "secrets": "/api/v1",
    "configmaps": "/api/v1",
    "services": "/api/v1",
    "serviceaccounts": "/api/v1",
    "deployments": "/apis/apps/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
    "ingresses": "/apis/networking.k8s.io/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
}


@pytest.fixture
def account(kube: Cluster, namespace: str) -> Account:
    """Return an account that may do only what the role's own Role allows."""
    settings = {"litellm_gateway_kubernetes_service_account": "admin", "litellm_gateway_kubernetes_namespace": namespace}
    rendered = jinja2.Environment(autoescape=False).from_string(RBAC.read_text().replace("| to_json", "| tojson")).render(settings)
    (role,) = [each for each in yaml.safe_load_all(rendered) if each and each["kind"] == "Role"]
    return kube.account_with_rules(namespace, role["rules"])


@pytest.fixture
def wanted(account: Account, namespace: str) -> dict[str, Any]:
    return {
        "litellm_gateway_mode": "kubernetes",
        "litellm_gateway_kubernetes_connection": {"kubeconfig": str(account.kubeconfig)},
        "litellm_gateway_kubernetes_namespace": namespace,
        "litellm_gateway_kubernetes_wait": False,  # no pod ever runs here
        "litellm_gateway_image": IMAGE,
        "litellm_gateway_database_url": f"postgresql://litellm:{SECRETS['password']}@db.example.com:5432/litellm",
        "litellm_gateway_redis_host": "redis.example.com",
        "litellm_gateway_redis_password": SECRETS["redis"],
        "litellm_gateway_environment": {"OPENAI_API_KEY": SECRETS["provider"]},
    }


def objects_named(kube: Cluster, namespace: str, name: str = "litellm-gateway") -> dict[str, dict[str, Any]]:
    """Return the objects of that name, by the plural of their kind."""
    found = {}
    for kind, group in KINDS.items():
        for each in kube.call("GET", f"{group}/namespaces/{namespace}/{kind}")["items"]:
            if each["metadata"]["name"] == name:
                found[kind] = each
    return found


def assert_hidden(run: PlaybookRun, *more: str) -> PlaybookRun:
    for secret in (*SECRETS.values(), *more):
        assert secret not in run.output
        assert base64.b64encode(secret.encode()).decode() not in run.output
    return run


def versions(objects: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {kind: each["metadata"]["resourceVersion"] for kind, each in objects.items()}


class DeploymentLife:
    """One gateway from its first objects to its removal. Each step goes on where the one before it ended."""

    def __init__(self, kube: Cluster, namespace: str, wanted: dict[str, Any], playbook: Playbooks) -> None:
        self.kube, self.namespace, self.wanted, self.playbook = kube, namespace, wanted, playbook
        self.first: dict[str, dict[str, Any]]
        """The objects after the first run."""
        self.secrets: dict[str, str]
        """The values in the first run's Secret."""

    def run(self, *arguments: str, check: bool = True, **more: Any) -> PlaybookRun:
        return self.playbook("gateway", {**self.wanted, **more}, *arguments, check=check)

    def objects(self) -> dict[str, dict[str, Any]]:
        return objects_named(self.kube, self.namespace)

    def check_mode_asks_the_api_and_writes_nothing(self) -> None:
        assert assert_hidden(self.run("--check", "--diff", "-vvv")).changed > 0
        assert self.objects() == {}

    def applies_hardened_objects_with_their_secrets_apart(self) -> None:
        assert assert_hidden(self.run("--diff", "-vvv")).changed > 0
        first = self.first = self.objects()
        assert set(first) == {"secrets", "configmaps", "services", "serviceaccounts", "deployments", "poddisruptionbudgets"}
        values = self.secrets = {name: base64.b64decode(value).decode() for name, value in first["secrets"]["data"].items()}
        assert values["LITELLM_MASTER_KEY"].startswith("sk-")
        assert len({values["LITELLM_MASTER_KEY"].removeprefix("sk-"), values["LITELLM_SALT_KEY"]}) == 2
        assert values["DATABASE_URL"].endswith("@db.example.com:5432/litellm?connection_limit=10")
        assert {values["OPENAI_API_KEY"], values["REDIS_PASSWORD"]} == {SECRETS["provider"], SECRETS["redis"]}
        configuration = yaml.safe_load(first["configmaps"]["data"]["litellm.yaml"])
        assert configuration["general_settings"]["coordination_redis"] == {
            "host": "redis.example.com",
            "port": 6379,
            "ssl": False,
            "password": "os.environ/REDIS_PASSWORD",
        }
        assert not any(secret in str(each) for kind, each in first.items() if kind != "secrets" for secret in (*SECRETS.values(), values["LITELLM_SALT_KEY"]))
        assert_is_hardened(first["deployments"]["spec"]["template"]["spec"])

    def a_second_run_changes_nothing(self) -> None:
        assert assert_hidden(self.run(), self.secrets["LITELLM_SALT_KEY"], self.secrets["LITELLM_MASTER_KEY"]).changed == 0
        assert versions(self.objects()) == versions(self.first)

    def an_ingress_and_a_ca_roll_the_pods_and_keep_the_secrets(self, ca_dir: Path) -> dict[str, dict[str, Any]]:
        """Return the objects, which include an Ingress and a NetworkPolicy from now on."""
        more = {
            "litellm_gateway_ca_dir": str(ca_dir),
            "litellm_gateway_kubernetes_ingress_host": "llm.example.com",
            "litellm_gateway_kubernetes_ingress_tls_secret": "llm-tls",
            "litellm_gateway_kubernetes_allowed_clients": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}],
        }
        assert_hidden(self.run("-vvv", "--diff", **more), self.secrets["LITELLM_SALT_KEY"])
        second = self.objects()
        assert set(second) == set(KINDS)
        assert second["secrets"]["data"] == self.first["secrets"]["data"]
        pods = [each["deployments"]["spec"]["template"] for each in (self.first, second)]
        assert pods[0]["metadata"]["annotations"] != pods[1]["metadata"]["annotations"]
        assert [each["name"] for each in pods[1]["spec"]["initContainers"]] == ["trust", "migrate"]
        assert "BEGIN CERTIFICATE" in second["configmaps"]["data"]["ca.pem"]
        assert_is_hardened(pods[1]["spec"])
        return second

    def another_version_needs_a_backup_first(self, second: dict[str, dict[str, Any]]) -> None:
        self.wanted = {**self.wanted, "litellm_gateway_image": IMAGE.replace("v1.102.4", "v1.103.0")}
        run = self.run(check=False)
        assert "would migrate its database" in run.output
        assert "litellm_gateway_database_backed_up=true" in run.output
        assert versions(self.objects()) == versions(second)

    def an_upgrade_deletes_the_objects_that_are_no_longer_wanted(self) -> None:
        self.wanted["litellm_gateway_database_backed_up"] = True
        self.run()
        third = self.objects()
        assert set(third) == set(self.first)
        assert third["deployments"]["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v1.103.0")

    def stopped_runs_no_pod(self) -> None:
        self.run(litellm_gateway_state="stopped")
        assert self.objects()["deployments"]["spec"]["replicas"] == 0

    def absent_needs_consent_and_deletes_only_its_own_objects(self) -> None:
        other = {"metadata": {"name": "somebody-elses", "labels": {"app.kubernetes.io/name": "litellm"}}}
        self.kube.call("POST", f"/api/v1/namespaces/{self.namespace}/configmaps", other)
        run = self.run(check=False, litellm_gateway_state="absent")
        assert "litellm_gateway_delete_data=true" in run.output
        assert set(self.objects()) == set(self.first)
        assert assert_hidden(self.run(litellm_gateway_state="absent", litellm_gateway_delete_data=True)).changed > 0
        assert self.objects() == {}
        assert objects_named(self.kube, self.namespace, "somebody-elses")


def test_its_whole_life(kube: Cluster, namespace: str, wanted: dict[str, Any], playbook: Playbooks, tls_provider: TlsProvider) -> None:
    life = DeploymentLife(kube, namespace, wanted, playbook)
    life.check_mode_asks_the_api_and_writes_nothing()
    life.applies_hardened_objects_with_their_secrets_apart()
    life.a_second_run_changes_nothing()
    second = life.an_ingress_and_a_ca_roll_the_pods_and_keep_the_secrets(tls_provider.ca_dir)
    life.another_version_needs_a_backup_first(second)
    life.an_upgrade_deletes_the_objects_that_are_no_longer_wanted()
    life.stopped_runs_no_pod()
    life.absent_needs_consent_and_deletes_only_its_own_objects()


def assert_is_hardened(pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "runAsGroup": 65534,
        "fsGroup": 65534,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert set(container["resources"]) == {"requests", "limits"}
        assert container["image"] == IMAGE
    (litellm,) = pod["containers"]
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(litellm)
    assert {"name": "DISABLE_SCHEMA_UPDATE", "value": "true"} in litellm["env"]
    (migrate,) = (each for each in pod["initContainers"] if each["name"] == "migrate")
    assert "--skip_server_startup" in migrate["args"]
    assert not any(each["name"] == "DISABLE_SCHEMA_UPDATE" for each in migrate["env"])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"litellm_gateway_image": "litellm-non_root:main-latest"}, "name LiteLLM's image with a version or a digest"),
        ({"litellm_gateway_database_url": "mysql://u:hush-hush-123@h/db"}, "litellm_gateway_database_url must be like"),
        (
            {"litellm_gateway_models": [{"model_name": "m", "litellm_params": {"model": "openai/m", "api_key": "hush-hush-123"}}]},
            "would lie in a ConfigMap",
        ),
        (
            {
                "litellm_gateway_models": [
                    {"model_name": "m", "litellm_params": {"model": "bedrock/m", "api_key": "os.environ/KEY", "aws_secret_access_key": "hush-hush-123"}}
                ]
            },
            "carries aws_secret_access_key, which would lie in a ConfigMap",
        ),
        (
            {"litellm_gateway_models": [{"model_name": "m", "litellm_params": {"model": "openai/m", "api_key": 123456}}]},
            "carries api_key, which would lie in a ConfigMap",
        ),
        (
            {"litellm_gateway_general_settings": {"alert_to": "https://hooks.slack.com/services/hush-hush-123"}},
            "carries alert_to, which would lie in a ConfigMap",
        ),
        ({"litellm_gateway_general_settings": {"database_url": "postgresql://u:hush-hush-123@h/db"}}, "database_url in litellm_gateway_general_settings (use"),
        ({"litellm_gateway_litellm_settings": {"cache_params": {"password": "hush-hush-123"}}}, "carries password, which would lie in a ConfigMap"),
        ({"litellm_gateway_state": "stopped", "litellm_gateway_kubernetes_namespace": ""}, "litellm_gateway_kubernetes_namespace is empty"),
        ({"litellm_gateway_state": "absent", "litellm_gateway_kubernetes_namespace": ""}, "litellm_gateway_kubernetes_namespace is empty"),
        ({"litellm_gateway_kubernetes_connection": {"kubeconfig": "/nowhere", "api_key": "hush-hush-123"}}, '"msg": "Could not find or access'),
    ],
)
def test_bad_input_is_refused(kube: Cluster, namespace: str, wanted: dict[str, Any], playbook: Playbooks, bad: dict[str, Any], message: str) -> None:
    run = playbook("gateway", {**wanted, **bad}, "-vvv", check=False)
    assert run.count("failed") == 1
    assert message in re.sub(r"\s+", " ", run.output)
    assert "hush-hush-123" not in run.output
    assert objects_named(kube, namespace) == {}


def test_an_object_of_another_owner_stays(kube: Cluster, namespace: str, wanted: dict[str, Any], playbook: Playbooks) -> None:
    kube.call("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "litellm-gateway"}, "data": {"a": "Yg=="}})
    run = playbook("gateway", wanted, check=False)
    assert "that this role has not made" in run.output
    assert objects_named(kube, namespace)["secrets"]["data"] == {"a": "Yg=="}
