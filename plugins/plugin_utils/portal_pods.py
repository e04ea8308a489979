# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the role key_portal sets for the pods of a portal and its worker, and what it finds of them in a namespace. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.common.validation import check_type_list
from ansible.module_utils.parsing.convert_bool import boolean

from ..module_utils.common.printable import quoted
from ..module_utils.delivery.mailer import ENVIRONMENT, mail_settings
from ..module_utils.delivery.smtp import tls_and_port
from .kubernetes_objects import identity, sort_objects, texts_of_secret
from .requestor_config import RequestorConfig, read_config

ROLE = "key_portal_"
NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
NAME = re.compile(r"[a-z]([a-z0-9-]{0,48}[a-z0-9])?")
"""Of a Service, with room for the ending of the worker's objects."""
DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
TAG = re.compile(r"[^\s@]*[^\s@:/]+:(?!(?:latest|main|stable)$)\w[\w.-]{0,127}")
ON_THE_MACHINE = {
    "tls_certificate_file": "TLS ends at the Ingress or the Route",
    "tls_key_file": "TLS ends at the Ingress or the Route",
    "smtp_ca_path": f"put the certificate into {ROLE}ca_dir",
    "oidc_ca_path": f"put the certificate into {ROLE}ca_dir",
}
"""Variables that name files of a machine, and what there is instead of them in a pod."""
GENERATED = {"session_secret": "PORTAL_SECRET", "admin_password": "ADMIN_PASSWORD"}
"""What the role generates once, with the variable of the portal's Secret that keeps it."""
DNS_PORTS = (53, 5353)
"""5353 is that of the pods behind OpenShift's DNS; a NetworkPolicy sees the port of the pod."""
SCHEMES = {"http": 80, "https": 443}


def portal_pods(given: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the filter portal_pods documents. `settings` are those of the filter portal_settings. Raises ValueError."""
    _check_pods(given)
    environment, worker = settings["environment"], settings["worker"]
    config = read_config(given["config_file"]) if given["config_file"] else RequestorConfig()
    methods = environment.get("PORTAL_IDENTITY", "").split(",")
    if "link" in methods and not environment.get("SMTP_HOST"):
        raise ValueError(f"{ROLE}identity has link, and no mail server is named that a pod could reach; set {ROLE}smtp_host, or leave link out.")
    proxies = environment.get("PORTAL_TRUSTED_PROXIES", "127.0.0.1")
    if (given["ingress_host"] or given["route_host"]) and proxies == "127.0.0.1":
        raise ValueError(
            f"{ROLE}trusted_proxies is 127.0.0.1, but calls come from the pods of the router: name the network of the pods, such as 10.128.0.0/14, or "
            "everybody would share the limits of one address."
        )
    if "proxy" in methods and not (check_type_list(given["allowed_clients"]) and boolean(given["network_policy"])):
        raise ValueError(
            f"{ROLE}identity has proxy, and every pod of the cluster could connect to the portal and name anybody; set {ROLE}kubernetes_allowed_clients to "
            f"the pods of the proxy, with {ROLE}kubernetes_network_policy."
        )
    peers = check_type_list(given["api_peers"])
    return {
        "portal_egress": [*_common_egress(given, peers), *_to_ports(_portal_ports(environment)), *check_type_list(given["portal_egress"])],
        "worker_egress": [*_common_egress(given, peers), *_to_ports(_worker_ports(worker, config)), *check_type_list(given["worker_egress"])]
        if boolean(given["worker"])
        else [],
    }


def portal_objects(results: Iterable[Mapping[str, Any]], label: str, wanted: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Sort the objects that bear the portal's or the worker's name, by the names that the filter portal_objects documents."""
    names = {(each["kind"], each["name"]) for each in wanted if boolean(each["wanted"])}
    found = sort_objects(results, label, lambda resource: identity(resource) in names)
    return {
        "own": found.own,
        "unwanted": found.unwanted,
        "foreign": [" ".join(identity(resource)) for resource in found.foreign],
        **texts_of_secret(found.own, GENERATED),
    }


def _check_pods(given: Mapping[str, Any]) -> None:
    """Raise ValueError if no pods could be made of the variables."""
    for name in ("namespace", "requests_namespace"):
        if not NAMESPACE.fullmatch(given[name]):
            raise ValueError(f"{ROLE}kubernetes_{name} is {quoted(given[name])}; give up to 63 lower-case letters, digits and hyphens.")
    if not NAME.fullmatch(given["name"]):
        raise ValueError(f"{ROLE}kubernetes_name is {quoted(given['name'])}; give up to 50 lower-case letters, digits and hyphens, a letter first.")
    if given["namespace"] == given["requests_namespace"]:
        raise ValueError(
            f"{ROLE}kubernetes_requests_namespace is {quoted(given['namespace'])}, where the pods run, too: requests are Secrets, and the account of the "
            "portal may read all Secrets beside them, so it could read the worker's; name another namespace for the requests."
        )
    if not DIGEST.fullmatch(given["image"]) and not TAG.fullmatch(given["image"]):
        raise ValueError(f"{ROLE}image is {quoted(given['image'])}; name the image with a version or a digest, so that no pod gets another one by itself.")
    if int(given["replicas"]) < 1:
        raise ValueError(f"{ROLE}kubernetes_replicas is {given['replicas']}; give 1 or more, or {ROLE}state=stopped to run none.")
    for name, instead in ON_THE_MACHINE.items():
        if given["files"][name]:
            raise ValueError(f"{ROLE}{name} is a file of a machine, which pods do not have: {instead}.")


# ------------------------------------------------------------------------------------------------------------- the network
def _common_egress(given: Mapping[str, Any], peers: list[Any]) -> list[dict[str, Any]]:
    """Return the rules for what both pods need: names, and the Kubernetes API."""
    names = {"ports": [{"port": port, "protocol": protocol} for port in DNS_PORTS for protocol in ("UDP", "TCP")]}
    (api,) = _to_ports([int(port) for port in check_type_list(given["api_ports"])])
    return [names, {"to": peers, **api} if peers else api]


def _to_ports(ports: Iterable[int]) -> list[dict[str, Any]]:
    numbers = sorted(set(ports))
    return [{"ports": [{"port": port, "protocol": "TCP"} for port in numbers]}] if numbers else []


def _portal_ports(environment: Mapping[str, str]) -> list[int]:
    """Return the ports of the mail server and of the provider of single sign-on, which the filter portal_settings has checked."""
    mail = {option: environment.get(variable, "") for option, variable in ENVIRONMENT.items()}
    issuer = environment.get("PORTAL_OIDC_ISSUER", "")
    return [*([_mail_port(mail)] if mail["host"] else []), *([_port_of(issuer)] if issuer else [])]


def _worker_ports(worker: Mapping[str, Any], config: RequestorConfig) -> list[int]:
    """Return the ports of the gateway and of the mail server. Raises ValueError without a gateway."""
    url = str(worker.get("key_requests_url") or worker.get("litellm_url") or config.url)
    if not url:
        raise ValueError(f"{ROLE}worker_variables name no gateway; set litellm_url in them, with litellm_master_key.")
    try:
        port = _port_of(url)
    except (ValueError, KeyError):
        # Not quoted, because it may hold a password.
        raise ValueError(f"{ROLE}worker_variables gives an address of the gateway that is not a URL; give one such as https://litellm.example.com.") from None
    own = {option: worker.get(f"key_delivery_smtp_{option}", "") for option in ("host", "port", "use_tls", "start_tls")}
    mail = {**config.mail, **{option: value for option, value in own.items() if value not in ("", None)}}
    return [port, *([_mail_port(mail)] if mail.get("host") else [])]


def _port_of(url: str) -> int:
    """Return the port of an address. Raises ValueError or KeyError."""
    parts = urlsplit(url)
    return parts.port or SCHEMES[parts.scheme.lower()]


def _mail_port(options: Mapping[str, Any]) -> int:
    """Return the port of a mail server, which may follow from how it speaks TLS. Raises ValueError."""
    found = mail_settings(options, {})
    return tls_and_port(found["use_tls"], found["port"], found["start_tls"])[1]
