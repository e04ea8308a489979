# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The options that modules for a gateway share, and the way a module ends. The doc fragment `gateway` describes the options."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..common.options import filled_env_fallback
from ..common.transport import REQUESTS_ERROR
from . import errors
from .client import USUAL_KEY_HEADER, Client, Connection
from .environment import API_KEY_ENVIRONMENT, KEY_HEADER_ENVIRONMENT, SECRET_ENVIRONMENT, SHORTEST_SECRET, URL_ENVIRONMENT

GATEWAY_SPEC: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "required": True, "fallback": (filled_env_fallback, list(URL_ENVIRONMENT))},
    "api_key": {
        "type": "str",
        "required": True,
        "no_log": True,
        "aliases": ["master_key"],
        "fallback": (filled_env_fallback, list(API_KEY_ENVIRONMENT)),
    },
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "key_header_name": {"type": "str", "no_log": False, "default": USUAL_KEY_HEADER, "fallback": (filled_env_fallback, list(KEY_HEADER_ENVIRONMENT))},
    "timeout": {"type": "float", "default": 30},
    "retries": {"type": "int", "default": 3},
    "retry_delay": {"type": "float", "default": 1},
    "parallel_calls": {"type": "int", "default": 8},
}

SECRET_SPEC: dict[str, dict[str, Any]] = {
    "secret": {"type": "str", "no_log": True, "fallback": (filled_env_fallback, list(SECRET_ENVIRONMENT))},
}


def connection_of(arguments: Mapping[str, Any]) -> Connection:
    """Return the connection that `arguments` (names of `GATEWAY_SPEC`) describe.

    Raises ValueError for an address, a key, a number or a file that cannot be used.
    """
    for name in ("ca_path", "client_cert", "client_key"):
        if arguments[name] and not os.access(arguments[name], os.R_OK):
            raise ValueError(f"{name} is {arguments[name]}, which cannot be read; give a readable file.")
    # An environment variable may be set to nothing, as AWX sets it for an empty field of a credential.
    return Connection(**{name: arguments[name] for name in GATEWAY_SPEC} | {"key_header_name": arguments["key_header_name"] or USUAL_KEY_HEADER})


def open_client(module: AnsibleModule, arguments: Mapping[str, Any] | None = None) -> Client:
    """Return a client for the gateway that `arguments`, or else the module's, describe. Fails the module if they cannot be used."""
    if REQUESTS_ERROR is not None:
        module.fail_json(msg=missing_required_lib("requests"), exception=str(REQUESTS_ERROR), code="missing_library")
    try:
        connection = connection_of(module.params if arguments is None else arguments)
    except ValueError as error:
        module.fail_json(msg=str(error), code="bad_input")
    return Client(connection)


def secret_of(params: Mapping[str, Any], *, new_values: bool = False) -> str:
    """Return the secret that values and fingerprints are derived from: `secret`, or else the API key.

    Raises ValueError for a secret that is short enough to be guessed. An API key that short is refused only for `new_values`: whoever has a key
    made from it can guess it, alias by alias and without a call, and then knows every key. Old values must still be found and deleted.
    """
    secret = params["secret"]
    if not secret:
        fallback = str(params["api_key"])
        if new_values and len(fallback) < SHORTEST_SECRET:
            raise ValueError(
                f"secret is not given, and api_key has {len(fallback)} characters, so that whoever has a key could guess what all keys are derived from;"
                f" give a secret of at least {SHORTEST_SECRET} characters, or set LITELLM_DERIVATION_SECRET."
            )
        return fallback
    if len(secret) < SHORTEST_SECRET:
        raise ValueError(f"secret has {len(secret)} characters; give at least {SHORTEST_SECRET}, for every key's value follows from it.")
    return str(secret)


def refuse_empty(params: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise ValueError for an empty condition, which would match everybody's keys instead of none."""
    for name in names:
        if params[name] == "":
            raise ValueError(f"{name} is empty; name one, or leave it out.")


def run_module(module: AnsibleModule, work: Callable[[], dict[str, Any]], shape: Callable[[dict[str, Any]], dict[str, Any]] = dict) -> NoReturn:
    """End the module with `result_of(work, shape)`."""
    result = result_of(work, shape)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
    raise AssertionError("exit_json and fail_json do not return")


def result_of(work: Callable[[], dict[str, Any]], shape: Callable[[dict[str, Any]], dict[str, Any]] = dict) -> dict[str, Any]:
    """Return the result of `work`, or its error: `failed`, `msg`, `code` and the HTTP `status` if there was one.

    `shape` turns a result into what the task returns; it is applied to the result of partly done work, too.
    """
    try:
        return shape(work())
    except errors.Incomplete as error:
        return {"failed": True, "msg": str(error), "code": error.code, **shape(error.outcome.to_result())}
    except errors.GatewayError as error:
        return {"failed": True, "msg": str(error), "code": error.code, "status": error.status, "changed": False}
    except ValueError as error:
        return {"failed": True, "msg": str(error), "code": "bad_input", "changed": False}
