# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The arguments that modules share, and the way from them to a gateway. The doc fragment `gateway` describes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from ansible.module_utils.basic import env_fallback, missing_required_lib

from ..keys.api import Gateway
from ..keys.known_values import known_values, texts
from ..keys.reconcile import result_of
from . import errors
from .client import REQUESTS_ERROR, Client, Connection

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

    from ..keys.reconcile import Outcome, Reconciler

GATEWAY_SPEC: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "required": True, "fallback": (env_fallback, ["LITELLM_BASE_URL"])},
    "api_key": {
        "type": "str",
        "required": True,
        "no_log": True,
        "aliases": ["master_key"],
        "fallback": (env_fallback, ["LITELLM_MASTER_KEY", "LITELLM_API_KEY"]),
    },
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "timeout": {"type": "float", "default": 30},
    "retries": {"type": "int", "default": 3},
    "retry_delay": {"type": "float", "default": 1},
    "parallel_calls": {"type": "int", "default": 8},
}


def connection_of(arguments: Mapping[str, Any]) -> Connection:
    """How to reach the gateway that `arguments` (names of `GATEWAY_SPEC`) name. Raises ValueError when they name none."""
    for name in ("ca_path", "client_cert", "client_key"):
        if arguments[name] and not os.access(arguments[name], os.R_OK):
            raise ValueError(f"{name} is {arguments[name]}, which cannot be read; give a readable file.")
    return Connection(**{name: arguments[name] for name in GATEWAY_SPEC})


def open_gateway(module: AnsibleModule, arguments: Mapping[str, Any] | None = None) -> Gateway:
    """The gateway that the module's arguments, or `arguments`, name. Fails the module when they name none."""
    if REQUESTS_ERROR is not None:
        module.fail_json(msg=missing_required_lib("requests"), exception=str(REQUESTS_ERROR), code="missing_library")
    try:
        connection = connection_of(module.params if arguments is None else arguments)
    except ValueError as error:
        module.fail_json(msg=str(error), code="bad_input")
    return Gateway(Client(connection))


def result_for(module: AnsibleModule, reconciler: Reconciler, outcome: Outcome, given: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a module that manages keys returns. Values are in it only for a task that hides its output (`no_log: true`)."""
    for warning in outcome.plan.warnings:
        module.warn(warning)
    result = result_of(outcome, reveal=reconciler.value_of if module.no_log else None, given=given, with_diff=module._diff)
    return {**result, "calls": reconciler.gateway.client.calls}


def refuse_empty(params: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raises ValueError for an empty condition, which would otherwise be none and list everybody's keys."""
    for name in names:
        if params[name] == "":
            raise ValueError(f"{name} is empty; name one, or leave it out.")


def take_known_values(module: AnsibleModule) -> dict[str, str]:
    """The values of keys in the argument `known_values`, by their sha256.

    Ansible would blot out all that stands beside them, and in results the values themselves, which a task that hides
    its output is there to get. What must not be seen is blotted out here instead, and the argument is seen nowhere.
    """
    tree = module.params["known_values"]
    values = known_values(tree)
    module.params["known_values"] = None
    secrets = {params[name] for params in (module.params, module.params.get("target") or {}) for name in ("api_key", "secret") if params.get(name)}
    module.no_log_values.difference_update(set(texts(tree)) - secrets)
    if not module.no_log:
        module.no_log_values.update(values.values())
    return values


def run(module: AnsibleModule, work: Callable[[], dict[str, Any]], shape: Callable[[dict[str, Any]], dict[str, Any]] = dict) -> NoReturn:
    """Leave the module with the result of `work`, or with its error: `msg`, `code`, HTTP `status` when there was one.

    `shape` makes what the module returns of a result, also of that of work that was done in part.
    """
    try:
        module.exit_json(**shape(work()))
    except errors.Incomplete as error:
        module.fail_json(msg=str(error), code=error.code, **shape(result_of(error.outcome)))
    except errors.GatewayError as error:
        module.fail_json(msg=str(error), code=error.code, status=error.status, changed=False)
    except ValueError as error:
        module.fail_json(msg=str(error), code="bad_input", changed=False)
    raise AssertionError("exit_json and fail_json do not return")
