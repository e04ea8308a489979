# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role litellm_gateway in its mode kubernetes, on a real API that checks every object and runs no pod."""

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
    """Who may do no more than the role's own Role says."""
    told = {"litellm_gateway_kubernetes_service_account": "admin", "litellm_gateway_kubernetes_namespace": namespace}
    rendered = jinja2.Environment(autoescape=False).from_string(RBAC.read_text().replace("| to_json", "| tojson")).render(told)
    (role,) = [each for each in yaml.safe_load_all(rendered) if each and each["kind"] == "Role"]
    return kube.account_with_rules(namespace, role["rules"])


@pytest.fixture
def wanted(account: Account, namespace: str) -> dict[str, Any]:
    return {
        "litellm_gateway_mode": "kubernetes",
        "litellm_gateway_kubernetes_connection": {"kubeconfig": str(account.kubeconfig)},
        "litellm_gateway_kubernetes_namespace": namespace,
        "litellm_gateway_kubernetes_wait": False,  # nothing runs here
        "litellm_gateway_image": IMAGE,
        "litellm_gateway_database_url": f"postgresql://litellm:{SECRETS['password']}@db.example.com:5432/litellm",
        "litellm_gateway_redis_host": "redis.example.com",
        "litellm_gateway_redis_password": SECRETS["redis"],
        "litellm_gateway_environment": {"OPENAI_API_KEY": SECRETS["provider"]},
    }


def made(kube: Cluster, namespace: str, name: str = "litellm-gateway") -> dict[str, dict[str, Any]]:
    """The objects of that name, by their plural."""
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


def test_its_whole_life(kube: Cluster, namespace: str, wanted: dict[str, Any], playbook: Playbooks, tls_provider: TlsProvider) -> None:
    # Check mode asks the API, and leaves nothing.
    assert assert_hidden(playbook("gateway", wanted, "--check", "--diff", "-vvv")).changed > 0
    assert made(kube, namespace) == {}

    # Applied, and applied again.
    assert assert_hidden(playbook("gateway", wanted, "--diff", "-vvv")).changed > 0
    first = made(kube, namespace)
    assert set(first) == {"secrets", "configmaps", "services", "serviceaccounts", "deployments", "poddisruptionbudgets"}
    values = {name: base64.b64decode(value).decode() for name, value in first["secrets"]["data"].items()}
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
    assert assert_hidden(playbook("gateway", wanted), values["LITELLM_SALT_KEY"], values["LITELLM_MASTER_KEY"]).changed == 0
    assert versions(made(kube, namespace)) == versions(first)

    # More is wanted: a way in from outside, whom to let in, whom to trust. Pods roll, keys stay.
    more = {
        **wanted,
        "litellm_gateway_ca_dir": str(tls_provider.ca_dir),
        "litellm_gateway_kubernetes_ingress_host": "llm.example.com",
        "litellm_gateway_kubernetes_ingress_tls_secret": "llm-tls",
        "litellm_gateway_kubernetes_allowed_clients": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}],
    }
    assert_hidden(playbook("gateway", more, "-vvv", "--diff"), values["LITELLM_SALT_KEY"])
    second = made(kube, namespace)
    assert set(second) == set(KINDS)
    assert second["secrets"]["data"] == first["secrets"]["data"]
    pods = [each["deployments"]["spec"]["template"] for each in (first, second)]
    assert pods[0]["metadata"]["annotations"] != pods[1]["metadata"]["annotations"]
    assert [each["name"] for each in pods[1]["spec"]["initContainers"]] == ["trust", "migrate"]
    assert "BEGIN CERTIFICATE" in second["configmaps"]["data"]["ca.pem"]
    assert_is_hardened(pods[1]["spec"])

    # Another version wants a backup first; nothing has changed by then.
    newer = {**wanted, "litellm_gateway_image": IMAGE.replace("v1.102.4", "v1.103.0")}
    run = playbook("gateway", newer, check=False)
    assert "would migrate its database" in run.output
    assert "litellm_gateway_database_backed_up=true" in run.output
    assert versions(made(kube, namespace)) == versions(second)

    # With it, and without the way in, what is wanted no longer goes.
    newer["litellm_gateway_database_backed_up"] = True
    playbook("gateway", newer)
    third = made(kube, namespace)
    assert set(third) == set(first)
    assert third["deployments"]["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v1.103.0")

    # Stopped runs no pod.
    playbook("gateway", {**newer, "litellm_gateway_state": "stopped"})
    assert made(kube, namespace)["deployments"]["spec"]["replicas"] == 0

    # Absent wants a word more, and takes only its own.
    kube.call("POST", f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "somebody-elses", "labels": {"app.kubernetes.io/name": "litellm"}}})
    absent = {**newer, "litellm_gateway_state": "absent"}
    run = playbook("gateway", absent, check=False)
    assert "litellm_gateway_delete_data=true" in run.output
    assert set(made(kube, namespace)) == set(first)
    absent["litellm_gateway_delete_data"] = True
    assert assert_hidden(playbook("gateway", absent)).changed > 0
    assert made(kube, namespace) == {}
    assert made(kube, namespace, "somebody-elses")


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
    ("bad", "said"),
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
        ({"litellm_gateway_general_settings": {"database_url": "postgresql://u:hush-hush-123@h/db"}}, "carries database_url, which would lie in a ConfigMap"),
        ({"litellm_gateway_litellm_settings": {"cache_params": {"password": "hush-hush-123"}}}, "carries password, which would lie in a ConfigMap"),
        ({"litellm_gateway_state": "stopped", "litellm_gateway_kubernetes_namespace": ""}, "litellm_gateway_kubernetes_namespace is empty"),
        ({"litellm_gateway_state": "absent", "litellm_gateway_kubernetes_namespace": ""}, "litellm_gateway_kubernetes_namespace is empty"),
        ({"litellm_gateway_kubernetes_connection": {"kubeconfig": "/nowhere", "api_key": "hush-hush-123"}}, '"msg": "Could not find or access'),
    ],
)
def test_bad_input_is_refused(kube: Cluster, namespace: str, wanted: dict[str, Any], playbook: Playbooks, bad: dict[str, Any], said: str) -> None:
    run = playbook("gateway", {**wanted, **bad}, "-vvv", check=False)
    assert run.count("failed") == 1
    assert said in re.sub(r"\s+", " ", run.output)
    assert "hush-hush-123" not in run.output
    assert made(kube, namespace) == {}


def test_what_somebody_else_has_made_stays(kube: Cluster, namespace: str, wanted: dict[str, Any], playbook: Playbooks) -> None:
    kube.call("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "litellm-gateway"}, "data": {"a": "Yg=="}})
    run = playbook("gateway", wanted, check=False)
    assert "that this role has not made" in run.output
    assert made(kube, namespace)["secrets"]["data"] == {"a": "Yg=="}
