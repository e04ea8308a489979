# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the role key_portal sets for pods, and what it finds of them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.portal_objects import portal_objects
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.portal_pods import portal_pods

LABEL = "key-portal/made-by"
ENVIRONMENT = {"PORTAL_IDENTITY": "basic,link", "SMTP_HOST": "mail.example.com"}
WANTED = [{"kind": "Secret", "name": "keys", "wanted": True}, {"kind": "Secret", "name": "keys-worker", "wanted": "False"}]


def pods(environment: dict[str, str] | None = None, worker: dict[str, Any] | None = None, has_worker: object = True, **more: Any) -> dict[str, Any]:
    given = {
        "image": "registry.example.com:5000/keys:2.0.0",
        "namespace": "keys",
        "requests_namespace": "keys-requests",
        "name": "litellm-key-portal",
        "replicas": 2,
        "worker": has_worker,
        "ingress_host": "",
        "route_host": "",
        "network_policy": True,
        "allowed_clients": [],
        "api_ports": [443, 6443],
        "api_peers": [],
        "portal_egress": [],
        "worker_egress": [],
        "config_file": "",
        **more,
        "files": {"tls_certificate_file": "", "tls_key_file": "", "smtp_ca_path": "", "oidc_ca_path": "", **more.get("files", {})},
    }
    settings = {"environment": ENVIRONMENT if environment is None else environment, "worker": {"litellm_url": "http://llm:4000"} if worker is None else worker}
    return portal_pods(given, settings)


def ports(rules: list[dict[str, Any]]) -> list[list[int]]:
    return [sorted({each["port"] for each in rule["ports"]}) for rule in rules]


@pytest.mark.parametrize("image", ["registry.example.com/keys@sha256:" + "0" * 64, "keys:2.0.0", "registry.example.com:5000/a/keys:v2-main"])
def test_images_that_stay_the_same(image: str) -> None:
    assert pods(image=image)


@pytest.mark.parametrize("image", ["", "keys", "keys:latest", "keys:main", "registry.example.com:5000/keys", "keys:2 0", "keys@sha256:0"])
def test_images_that_may_become_others_are_refused(image: str) -> None:
    with pytest.raises(AnsibleFilterError, match="name the image with a version or a digest"):
        pods(image=image)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"namespace": ""}, "key_portal_kubernetes_namespace is ''"),
        ({"requests_namespace": "No"}, "key_portal_kubernetes_requests_namespace is 'No'"),
        ({"requests_namespace": "keys"}, "so it could read the worker's; name another namespace"),
        ({"name": "1st"}, "key_portal_kubernetes_name is '1st'"),
        ({"name": "a" * 51}, "up to 50 lower-case letters"),
        ({"replicas": "0"}, "key_portal_kubernetes_replicas is 0"),
        ({"files": {"tls_key_file": "/etc/key.pem"}}, "key_portal_tls_key_file is a file of a machine, which pods do not have: TLS ends at"),
        ({"files": {"smtp_ca_path": "/etc/ca.pem"}}, "put the certificate into key_portal_ca_dir"),
        ({"files": {"oidc_ca_path": "/etc/ca.pem"}}, "key_portal_oidc_ca_path is a file of a machine"),
        ({"environment": {"PORTAL_IDENTITY": "basic,link"}}, "no mail server is named that a pod could reach; set key_portal_smtp_host"),
        ({"route_host": "keys.example.com"}, "key_portal_trusted_proxies is 127.0.0.1"),
        (
            {"ingress_host": "keys.example.com", "environment": {**ENVIRONMENT, "PORTAL_TRUSTED_PROXIES": "127.0.0.1"}},
            "key_portal_trusted_proxies is 127.0.0.1",
        ),
        ({"environment": {"PORTAL_IDENTITY": "basic,proxy"}}, "every pod of the cluster could connect to the portal and name anybody"),
        ({"environment": {"PORTAL_IDENTITY": "proxy"}, "allowed_clients": [{"podSelector": {}}], "network_policy": "no"}, "name anybody"),
        ({"worker": {}}, "name no gateway; set litellm_url in them"),
        ({"worker": {"litellm_url": "llm:hush@host"}}, "gives an address of the gateway that is not a URL"),
        ({"worker": {"litellm_url": "http://user:hush@llm:nan"}}, "gives an address of the gateway that is not a URL"),
        ({"worker": {"litellm_url": "http://llm", "key_delivery_smtp_host": "m", "key_delivery_smtp_port": "many"}}, "many"),
    ],
)
def test_what_pods_cannot_have_is_refused(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message) as error:
        pods(**bad)
    assert "hush" not in str(error.value)


def test_each_reaches_what_it_needs_and_nothing_else() -> None:
    found = pods(worker={"litellm_url": "https://llm.example.com", "key_delivery_smtp_host": "mail", "key_delivery_smtp_use_tls": "implicit"})
    assert ports(found["portal_egress"]) == [[53, 5353], [443, 6443], [587]]
    assert ports(found["worker_egress"]) == [[53, 5353], [443, 6443], [443, 465]]
    assert not any("to" in rule for rule in found["portal_egress"])


@pytest.mark.parametrize(("issuer", "port"), [("https://sso.example.com/realms/company", 443), ("https://sso.example.com:8443", 8443)])
def test_the_portal_reaches_the_provider_of_single_sign_on(issuer: str, port: int) -> None:
    found = pods(environment={"PORTAL_IDENTITY": "oidc", "PORTAL_OIDC_ISSUER": issuer})
    assert ports(found["portal_egress"])[2:] == [[port]] and [port] not in ports(found["worker_egress"])[2:]


def test_what_its_owner_adds_is_added() -> None:
    peers, more = [{"ipBlock": {"cidr": "10.0.0.1/32"}}], [{"ports": [{"port": 8080}]}]
    found = pods(environment={"PORTAL_IDENTITY": "basic"}, api_ports=["6443"], api_peers=peers, portal_egress=more, worker_egress=more)
    assert found["portal_egress"][1:] == [{"to": peers, "ports": [{"port": 6443, "protocol": "TCP"}]}, *more]
    assert ports(found["worker_egress"]) == [[53, 5353], [6443], [4000], [8080]]


def test_gateway_and_mail_server_may_come_from_the_requestors_config(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("litellm: {base_url: 'http://llm:4001', api_key: sk-1}\nsmtp: {host: mail, port: 2525}\n", encoding="utf-8")
    assert ports(pods(config_file=str(config), worker={})["worker_egress"])[2:] == [[2525, 4001]]


def test_a_proxy_that_alone_can_connect_may_name_people() -> None:
    assert pods(environment={"PORTAL_IDENTITY": "proxy"}, allowed_clients=[{"podSelector": {}}])


def test_without_a_worker_no_gateway_is_needed() -> None:
    assert pods(worker={}, has_worker="false")["worker_egress"] == []


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="portal_pods: the input has no 'namespace'"):
        portal_pods({}, {})


def secret(name: str, *, own: bool = True, **data: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"kind": "Secret", "metadata": {"name": name, "labels": {LABEL: "us"} if own else None}, "data": encoded}


def results(*things: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"resources": []}, *({"resources": [each]} for each in things)]


def test_objects_are_sorted_by_their_label_and_name() -> None:
    mine, worker = secret("keys", PORTAL_SECRET="signs", ADMIN_PASSWORD="pw"), secret("keys-worker", worker_variables="{}")
    found = portal_objects(results(mine, worker), LABEL, WANTED)
    assert (found["own"], found["unwanted"], found["foreign"]) == ([mine, worker], [worker], [])
    assert (found["session_secret"], found["admin_password"]) == ("signs", "pw")


def test_those_of_another_owner_are_named_if_they_are_in_the_way() -> None:
    found = portal_objects(results(secret("keys", own=False, PORTAL_SECRET="theirs"), secret("keys-worker", own=False)), LABEL, WANTED)
    assert found == {"own": [], "unwanted": [], "foreign": ["Secret keys"], "session_secret": "", "admin_password": ""}


def test_a_single_result_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="portal_objects: the input is not a list"):
        portal_objects({"resources": []}, LABEL, [])  # type: ignore[arg-type]
