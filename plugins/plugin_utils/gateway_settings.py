# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the role litellm_gateway writes into LiteLLM's configuration and environment. Pure."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ..module_utils.catalogue.compare import SECRET_WORDS

NO_SECRET_AT_THE_END = frozenset(("access", "private"))
"""Words that mark a secret in front of others only: access groups are none, an access key is one."""
SECRET_TEXT = re.compile(r"sk-|(?:Bearer|Basic) \S|https://hooks\.slack\.com/|\w+://[^\s/@]*:[^\s/@]+@", re.IGNORECASE)
"""How a text begins that is a secret whatever it is called: a key, a header, a webhook, an address with a password."""
NOT_HERE = {
    "DATABASE_URL": "litellm_gateway_database_url, in Kubernetes mode",
    "DIRECT_URL": "litellm_gateway_database_url, in Kubernetes mode",
    "DATABASE_HOST": "litellm_gateway_database_url, in Kubernetes mode",
    "IAM_TOKEN_DB_AUTH": "litellm_gateway_database_url, in Kubernetes mode",
    "LITELLM_MASTER_KEY": "litellm_gateway_master_key",
    "LITELLM_SALT_KEY": "litellm_gateway_salt_key",
}
"""Variables of the environment that LiteLLM would take instead of what the role knows and backs up, with the role's own variable for each."""
ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

POD_VARIABLES = {"LITELLM_MIGRATION_DIR": "/tmp/migrations"}  # noqa: S108 - a volume of the pod's own
POD_BUNDLE = "/trust/ca-bundle.pem"
BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")


def gateway_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what LiteLLM is configured with, by the names that the filter gateway_settings documents.

    Numbers and switches may be text, as older releases of ansible-core make them when they template a dictionary.
    """
    redis = given["redis"]
    coordination = {"coordination_redis": _redis_settings(redis)} if redis["host"] else {}
    password = {"REDIS_PASSWORD": redis["password"]} if redis["password"] else {}
    environment = {**password, **given["environment"]}
    literals = _literal_secrets([given["models"], given["general_settings"], given["litellm_settings"]])
    return {
        "general_settings": {**coordination, **given["general_settings"]},
        # LiteLLM would fetch the tokenizers of some models from Hugging Face. Without internet it answers nobody for 23 seconds meanwhile.
        "litellm_settings": {"disable_hf_tokenizer_download": True, **given["litellm_settings"]},
        "environment": environment,
        "bad_environment_names": [name for name in environment if not ENVIRONMENT_NAME.fullmatch(str(name))],
        "overridden": list(_overridden(given)),
        "literal_secrets": list(dict.fromkeys(literals)),
        "kubernetes": _kubernetes_settings(given["kubernetes"], given["variables"], environment),
    }


def _redis_settings(redis: Mapping[str, Any]) -> dict[str, Any]:
    settings = {"host": redis["host"], "port": int(redis["port"]), "ssl": boolean(redis["tls"])}
    return {**settings, "password": "os.environ/REDIS_PASSWORD"} if redis["password"] else settings


def _overridden(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield what would take the gateway away from its database or its keys, each with what to use instead."""
    for name, instead in NOT_HERE.items():
        if name in given["environment"]:
            yield f"{name} in litellm_gateway_environment (use {instead})"
        setting = name.removeprefix("LITELLM_").lower()
        if setting in given["general_settings"] and setting != "salt_key":
            yield f"{setting} in litellm_gateway_general_settings (use {instead})"


def _literal_secrets(value: object) -> Iterator[str]:
    """Yield the names of settings, at any depth, that hold a secret itself instead of the name of an environment variable.

    Neither a switch nor an empty value nor a path is a secret. A text may hold settings as JSON, as those of Google's service accounts do.
    """
    if isinstance(value, Mapping):
        for name, item in value.items():
            if _is_secret(str(name), item):
                yield str(name)
            yield from _literal_secrets(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _literal_secrets(item)
    elif isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        with contextlib.suppress(ValueError):
            yield from _literal_secrets(json.loads(value))


def _is_secret(name: str, value: object) -> bool:
    if value is None or isinstance(value, bool) or str(value).startswith(("os.environ/", "/")) or value in ("", [], {}):
        return False
    return _is_secret_name(name) or (isinstance(value, str) and bool(SECRET_TEXT.match(value)))


def _is_secret_name(name: str) -> bool:
    """Return whether the name ends with a word that marks a secret: an api_key is one, a user_api_key_cache_ttl is none."""
    last = re.split(r"[_\-\s]", name.lower())[-1]
    return last in SECRET_WORDS - NO_SECRET_AT_THE_END


def _kubernetes_settings(given: Mapping[str, Any], variables: Mapping[str, str], environment: Mapping[str, Any]) -> dict[str, Any]:
    bundle = dict.fromkeys(BUNDLE_VARIABLES, POD_BUNDLE) if boolean(given["trusts_bundle"]) else {}
    separator = "&" if "?" in given["database_url"] else "?"
    return {
        "url": _kubernetes_url(given),
        "database_url": f"{given['database_url']}{separator}connection_limit={given['database_connections']}",
        "migrate_env": _pod_environment({**variables, **bundle}, environment),
        "serve_env": _pod_environment({**variables, "DISABLE_SCHEMA_UPDATE": "true", **bundle}, environment),
    }


def _kubernetes_url(given: Mapping[str, Any]) -> str:
    """Return the URL at which clients reach the gateway: by its Route, or its Ingress, or else its Service."""
    if given["route_host"]:
        return f"https://{given['route_host']}"
    if given["ingress_host"]:
        return f"{'https' if given['ingress_tls_secret'] else 'http'}://{given['ingress_host']}"
    return f"http://{given['name']}.{given['namespace']}.svc:4000"


def _pod_environment(variables: Mapping[str, str], environment: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the entries of a container's `env`. They would override the Secret, so variables of the user's `environment` are left out."""
    wanted = {name: value for name, value in sorted(variables.items()) if name not in environment}
    return [{"name": name, "value": value} for name, value in {**POD_VARIABLES, **wanted}.items()]
