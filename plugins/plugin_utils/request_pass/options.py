# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The options of the actions `key_request_pass` and `key_expiry_notices`, and the parts of a pass that they describe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from ansible.parsing.dataloader import DataLoader

from ...module_utils.common.printable import printable, quoted
from ...module_utils.common.transport import REQUESTS_ERROR
from ...module_utils.delivery import client_env
from ...module_utils.delivery.mailer import MAIL_SPEC
from ...module_utils.delivery.webhooks import TARGET_SPEC
from ...module_utils.key_requests import secret
from ...module_utils.key_requests.base import Store
from ...module_utils.key_requests.desk import now
from ...module_utils.key_requests.options import STORE_SPEC, store_from
from ...module_utils.keys.api import KeyApi
from ...module_utils.keys.options import PROOF_SPEC, proof_of
from ...module_utils.litellm.client import Client
from ...module_utils.litellm.options import GATEWAY_SPEC, SECRET_SPEC, connection_of, secret_of
from ..delivery import KUBERNETES_SECRET, MAIL, SEALED, DeliverySettings, check_settings
from .gateway import PassGateway
from .key_secrets import KubernetesSecrets, NoSecrets, SecretKeeper
from .offers import Offers
from .parts import ApprovalChain, PassParts, PassSettings
from .post import SmtpMailer, Webhooks
from .site_chain import SiteChain

DELIVERY_SPEC: dict[str, dict[str, Any]] = {
    "methods": {"type": "list", "elements": "str", "choices": [MAIL, KUBERNETES_SECRET, SEALED], "default": [MAIL]},
    "url": {"type": "str"},
    "vendors": {"type": "list", "elements": "str", "default": list(client_env.VENDORS)},
    "vendor_paths": {"type": "dict", "default": {}},
    "namespace": {"type": "str"},
    "allow_shared_namespace": {"type": "bool", "default": False},
    "secret_prefix": {"type": "str", "default": "llm-virtual-key-"},
    "mail_note": {"type": "str", "default": ""},
    "mail_include_value": {"type": "bool", "default": True},
    "portal_url": {"type": "str", "default": ""},
    "box_lifetime": {"type": "str", "default": "7d"},
    "kubernetes": {"type": "dict", "default": {}},
    "force_conflicts": {"type": "bool", "default": False},
}
PASS_SPEC: dict[str, dict[str, Any]] = {
    "store": {"type": "dict", "options": STORE_SPEC, "apply_defaults": True},
    "gateway": {"type": "dict", "options": {**GATEWAY_SPEC, **SECRET_SPEC, **PROOF_SPEC}, "apply_defaults": True},
    "mail": {"type": "dict", "options": MAIL_SPEC, "apply_defaults": True},
    "delivery": {"type": "dict", "options": DELIVERY_SPEC, "apply_defaults": True},
    "rules": {"type": "list", "elements": "raw", "default": []},
    "packages": {"type": "dict", "default": {}},
    "limits": {"type": "dict", "default": {}},
    "lifetime": {"type": "str", "default": "30d"},
    "parallel": {"type": "int", "default": 8},
    "mails_answers": {"type": "bool", "default": True},
    "webhooks": {"type": "list", "elements": "dict", "options": TARGET_SPEC, "default": []},
    "reviewers": {"type": "list", "elements": "str", "default": []},
    "wait": {"type": "float", "default": 120},
    "fail_on": {"type": "str", "choices": ["nothing", "failures"], "default": "nothing"},
    "config_file": {"type": "path"},
    "interval": {"type": "str"},
    "stop_file": {"type": "path"},
    "heartbeat_file": {"type": "path"},
}

NOTICES_SPEC: dict[str, dict[str, Any]] = {
    **{name: PASS_SPEC[name] for name in ("store", "gateway", "mail", "delivery", "webhooks", "wait", "fail_on", "config_file")},
    "before": {"type": "list", "elements": "str", "default": ["72h", "24h", "1h"]},
    "ahead": {"type": "str", "default": "1h"},
}


@contextmanager
def parts_for_notices(options: Mapping[str, Any], *, check_mode: bool, warn: Callable[[str], None]) -> Iterator[PassParts]:
    """Yield the parts that notices need, as `parts_of` does."""
    decides_nothing = ValueError("notices decide nothing")
    with _parts(options, decides_nothing, check_mode=check_mode, warn=warn) as parts:
        yield parts


@contextmanager
def parts_of(options: Mapping[str, Any], loader: DataLoader, *, check_mode: bool, warn: Callable[[str], None]) -> Iterator[PassParts]:
    """Yield the parts of a pass, whose connection to the gateway is closed at the end. Raises ValueError and StoreError for options that cannot work.

    A chain or an offer that cannot be used is no error here: what people have approved is delivered nevertheless.
    """
    with _parts(options, _chain_of(options, loader, check_mode=check_mode), check_mode=check_mode, warn=warn) as parts:
        yield parts


@contextmanager
def _parts(options: Mapping[str, Any], chain: ApprovalChain | ValueError, *, check_mode: bool, warn: Callable[[str], None]) -> Iterator[PassParts]:
    if REQUESTS_ERROR is not None:
        raise ValueError(f"the Python library requests is missing where Ansible runs ({REQUESTS_ERROR}); install it.")
    given = options["gateway"]
    mailer = SmtpMailer(options["mail"], dry_run=check_mode)
    channels = Webhooks(options["webhooks"], options["mail"]["language"], dry_run=check_mode)
    for warning in mailer.warnings:
        warn(warning)
    store = store_from(options["store"], check_mode=check_mode)
    secrets = _secrets_of(options["delivery"], store, check_mode=check_mode)
    with closing(Client(connection_of(given))) as client:
        gateway = PassGateway(KeyApi(client, warn), secret_of(given, new_values=True), proof=proof_of(given), check_mode=check_mode)
        yield PassParts(store, chain, gateway, mailer, secrets, channels, now)


def _chain_of(options: Mapping[str, Any], loader: DataLoader, *, check_mode: bool) -> ApprovalChain | ValueError:
    try:
        offers = Offers.from_settings(options["packages"], options["limits"], options["lifetime"])
        return SiteChain(options["rules"], offers, loader, parallel=options["parallel"], check_mode=check_mode)
    except ValueError as error:
        return error


def _secrets_of(delivery: Mapping[str, Any], store: Store, *, check_mode: bool) -> SecretKeeper:
    if KUBERNETES_SECRET not in delivery["methods"]:
        return NoSecrets()
    _check_apart(delivery, getattr(store, "namespace", ""))
    return KubernetesSecrets(delivery["kubernetes"], force=delivery["force_conflicts"], dry_run=check_mode)


def _check_apart(delivery: Mapping[str, Any], namespace_of_requests: str) -> None:
    """Raise ValueError unless the Secrets of keys are told apart from those of requests, by namespace and by name."""
    namespace, prefix = delivery["namespace"], delivery["secret_prefix"]
    if not namespace:
        raise ValueError("keys are delivered as Secrets, and no namespace is named for them; set key_delivery_kubernetes_namespace to one of their own.")
    if namespace == namespace_of_requests and not delivery["allow_shared_namespace"]:
        raise ValueError(
            f"the Secrets of keys would lie in {printable(namespace, 80)}, the namespace of the requests, where whoever decides could read them; "
            "set key_delivery_kubernetes_namespace to another one, or key_requests_allow_shared_namespace to true if you want that."
        )
    if f"{prefix}request-".startswith(secret.PREFIX):
        raise ValueError(
            f"with the prefix {quoted(prefix)} the Secrets of keys would be called like those of requests; "
            "set key_delivery_kubernetes_secret_prefix to another one."
        )


def pass_settings(options: Mapping[str, Any]) -> PassSettings:
    """Return what a pass does besides deciding. Raises ValueError for settings that cannot work."""
    return PassSettings(delivery_settings(options), options["mails_answers"], options["reviewers"], store_variables(options["store"]))


def delivery_settings(options: Mapping[str, Any]) -> DeliverySettings:
    """Return how keys are delivered. Raises ValueError for settings that cannot work."""
    delivery = options["delivery"]
    names = ("vendors", "vendor_paths", "secret_prefix", "mail_note", "mail_include_value", "methods", "portal_url", "box_lifetime")
    settings = DeliverySettings(
        **{name: delivery[name] for name in names},
        url=delivery["url"] or options["gateway"]["url"],
        namespace=delivery["namespace"] or "",
        mail_language=options["mail"]["language"],
    )
    check_settings(settings)
    return settings


def store_variables(store: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of the role that name this store, for the commands that reviewers get. None of them is secret."""
    if store["store"] == "file":
        return {"key_requests_directory": store["directory"]} if store["directory"] else {}
    names = {"key_requests_store": "kubernetes", "key_requests_namespace": store["namespace"], "key_requests_context": store["context"]}
    return {name: value for name, value in names.items() if value}
