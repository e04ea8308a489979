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

SECRET_NAME = re.compile(r"api_key|secret|password|(?:session|ad)_token|private_key|master_key|credentials|database_url")
NAME_OF_A_SECRET = "primary_secret_name"  # noqa: S105
"""A setting of LiteLLM that holds the name of a secret, not a secret."""
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
        "literal_secrets": list(dict.fromkeys(literals)),
        "kubernetes": _kubernetes_settings(given["kubernetes"], given["variables"], environment),
    }


def _redis_settings(redis: Mapping[str, Any]) -> dict[str, Any]:
    settings = {"host": redis["host"], "port": int(redis["port"]), "ssl": boolean(redis["tls"])}
    return {**settings, "password": "os.environ/REDIS_PASSWORD"} if redis["password"] else settings


def _literal_secrets(value: object) -> Iterator[str]:
    """Yield the names of settings, at any depth, that hold a secret itself instead of the name of an environment variable.

    A switch that is on or off, such as `use_password: true`, is not a secret. A text may hold settings as JSON, as those of
    Google's service accounts do.
    """
    if isinstance(value, Mapping):
        for name, item in value.items():
            if _is_secret_name(str(name)) and not (isinstance(item, bool) or str(item).startswith("os.environ/")):
                yield str(name)
            yield from _literal_secrets(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _literal_secrets(item)
    elif isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        with contextlib.suppress(ValueError):
            yield from _literal_secrets(json.loads(value))


def _is_secret_name(name: str) -> bool:
    return bool(SECRET_NAME.search(name)) and not name.endswith(NAME_OF_A_SECRET)


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
