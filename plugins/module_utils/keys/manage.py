# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What tasks do with keys: the arguments that they take, and what becomes of the keys.

The modules `virtual_key`, `virtual_keys` and `key_adoption` run these functions where their task runs, and the workload role runs them where
Ansible does. Every function takes a `KeyTask` and returns the result of the task. They raise ValueError for arguments that cannot be used
together, and GatewayError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..common import names
from ..litellm.options import GATEWAY_SPEC, SECRET_SPEC, open_client, secret_of
from .api import KeyApi
from .derive import derivable
from .key import LiveKey, WantedKey
from .lab import Lab, NoSuchLab, deleted_under
from .limits import LIMITS_SPEC
from .options import (
    PROOF_SPEC,
    VALUE_SPEC,
    KeyTask,
    check_generation,
    policy_of,
    proof_of,
    refuse_to_describe_deleted_keys,
    refuse_without_effect,
    result_for,
    take_known_values,
)
from .plan import KeyAction
from .reconcile import Reconciler
from .results import KeysIncomplete
from .revocation import DeletedValue

ONE_KEY_SPEC: dict[str, dict[str, Any]] = {
    **GATEWAY_SPEC,
    **LIMITS_SPEC,
    **VALUE_SPEC,
    "alias": {"type": "str"},
    "key_id": {"type": "str", "no_log": False},
    "state": {"type": "str", "choices": ["present", "blocked", "absent"], "default": "present"},
    **PROOF_SPEC,
}
ONE_KEY_RULES: dict[str, Any] = {
    "required_one_of": [("alias", "key_id")],
    "mutually_exclusive": [("alias", "key_id")],
    "required_if": [("state", "present", ["alias"])],
}

_EACH_KEY_SPEC: dict[str, dict[str, Any]] = {
    "user": {"type": "str"},
    "alias": {"type": "str"},
    "guid": {"type": "str"},
    "create": {"type": "bool"},
    **LIMITS_SPEC,
}
LAB_SPEC: dict[str, dict[str, Any]] = {
    **GATEWAY_SPEC,
    **LIMITS_SPEC,
    **VALUE_SPEC,
    "guid": {"type": "str"},
    "lab_alias": {"type": "str"},
    "keys": {"type": "list", "elements": "dict", "no_log": False, "options": _EACH_KEY_SPEC},
    "state": {"type": "str", "choices": ["present", "exact", "absent"], "default": "present"},
    "blocked": {"type": "bool"},
    "keep_going": {"type": "bool", "default": False},
    "user_base": {"type": "str", "default": "user"},
    "known_values": {"type": "raw", "no_log": True},
    **PROOF_SPEC,
    "deleted_elsewhere": {
        "type": "list",
        "elements": "dict",
        "options": {
            "alias": {"type": "str", "required": True},
            "generation": {"type": "int", "default": 0},
            "key_id": {"type": "str", "no_log": False},
        },
    },
}
LAB_RULES: dict[str, Any] = {"required_one_of": [("guid", "lab_alias", "keys")]}

ADOPTION_SPEC: dict[str, dict[str, Any]] = {
    **GATEWAY_SPEC,
    "guid": {"type": "str", "required": True},
    "lab_alias": {"type": "str"},
    "user_base": {"type": "str", "default": "user"},
    **SECRET_SPEC,
    "known_values": {"type": "raw", "no_log": True},
}


# ------------------------------------------------------------------------------------------------------------- one key
def find_rows(api: KeyApi, params: dict[str, Any]) -> list[LiveKey]:
    """Return the rows of the alias, including its former values, or the row of the key id."""
    if params["key_id"] is not None:
        return api.keys(key_hash=params["key_id"])
    return [row for row in api.keys_like(params["alias"]) if row.served_alias == params["alias"]]


def check_one_key(params: dict[str, Any]) -> None:
    """Raise ValueError unless alias or key id names one key: LiteLLM takes an empty name to mean every key."""
    if params["alias"] is not None:
        names.check_alias(params["alias"])
    elif not re.fullmatch("[0-9a-f]{64}", params["key_id"]):
        raise ValueError("key_id is not the SHA-256 of a key, 64 hexadecimal digits; look it up with virtual_key_info.")


def manage_key(task: KeyTask) -> dict[str, Any]:
    """Bring the key to its state, and return the result for a set of keys."""
    params = task.params
    check_one_key(params)
    api = KeyApi(open_client(task), task.warn)
    reconciler = Reconciler(api, secret_of(params, new_values=params["state"] == "present"), check_mode=task.check_mode)
    lab, policy = Lab(), policy_of(params)
    wants = {**params, "keys": [{"alias": params["alias"]}], "blocked": params["state"] == "blocked"}
    if params["state"] == "absent":
        refuse_to_describe_deleted_keys(params)
        aliases = {params["alias"]} if params["alias"] else set()
        outcome = reconciler.delete(lambda: find_rows(api, params), proof=proof_of(params), find_deleted=lambda: deleted_under(api, aliases))
    elif params["state"] == "blocked":
        names = ("duration", "rotation", "rotation_grace", "on_unrecoverable", "first_generation", "create")
        refuse_without_effect(params, names, "with state blocked; leave it out, or do it before the key is blocked")
        rows = find_rows(api, params)
        if not rows:
            api.check_admin()
            name = params["alias"] or params["key_id"]
            raise NoSuchLab(f"the gateway has no key {name} that could be blocked; check the name.")
        outcome = reconciler.change(rows, lab.change(wants, api.now), lambda: find_rows(api, params), check_models=params["check_models"])
    else:
        wanted = lab.wanted(wants, api.now)
        outcome = reconciler.apply(wanted, lab.scope(wanted), policy, check_models=params["check_models"], proof=proof_of(params))
    return result_for(task, reconciler, outcome)


def of_one_key(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result for a set of keys as that of one key, without the values that it had before a rotation."""
    own = [key for key in result["virtual_keys"] if not key["retired_from"]]
    return {"key": own[0] if own else {}, **{name: value for name, value in result.items() if name != "virtual_keys"}}


# ------------------------------------------------------------------------------------------------------ keys of a lab
def refuse_what_the_state_ignores(params: dict[str, Any], known: dict[str, str]) -> None:
    """Raise ValueError for options that would have no effect with the state that is asked for. `known` are the values in `known_values`."""
    if params["state"] != "absent":
        if params["deleted_elsewhere"]:
            raise ValueError(f"deleted_elsewhere would have no effect with state {params['state']}; leave it out, or give state absent.")
        return
    refuse_to_describe_deleted_keys(params)
    refuse_without_effect(params, ("blocked", "keep_going"), "with state absent; leave it out")
    if known:
        raise ValueError("known_values would have no effect with state absent, which returns no values; leave it out.")


def deleted_value(key: dict[str, Any]) -> DeletedValue:
    """Return the value that an element of `deleted_elsewhere` names. Raises ValueError. Of a key with a `key_id`, the generation may be forged."""
    if key["key_id"] and not re.fullmatch("[0-9a-f]{64}", key["key_id"]):
        raise ValueError("deleted_elsewhere has a key_id that is not the SHA-256 of a key, 64 hexadecimal digits; give the id of a key, or none.")
    if not key["alias"]:
        raise ValueError("deleted_elsewhere names an alias that is empty; give the alias of the key.")
    generation = max(key["generation"], 0) if key["key_id"] else check_generation(key["generation"], "generation")
    return DeletedValue(key["alias"], generation, key["key_id"] or "")


def manage_lab(task: KeyTask) -> dict[str, Any]:
    """Bring the keys of the set to their state, and return them."""
    params = task.params
    known = take_known_values(task)
    api = KeyApi(open_client(task), task.warn)
    makes_values = params["state"] != "absent" and bool(params["keys"] is not None or params["rotation"])
    reconciler = Reconciler(api, secret_of(params, new_values=makes_values), check_mode=task.check_mode)
    lab = Lab.from_params(params)
    refuse_what_the_state_ignores(params, known)
    policy = policy_of(params, prune=params["state"] == "exact")
    how = {
        "check_models": params["check_models"],
        "keep_going": params["keep_going"],
        "proof": proof_of(params),
    }
    if params["state"] == "absent":
        outcome = reconciler.delete(
            lambda: lab.to_delete(api, params["keys"], reconciler.value_of),
            proof=proof_of(params),
            deleted_elsewhere=[deleted_value(key) for key in params["deleted_elsewhere"] or []],
            find_deleted=lambda: lab.deleted_before(api, params["keys"]),
        )
    elif params["keys"] is not None:
        wanted = lab.wanted(params, api.now)
        outcome = reconciler.apply(wanted, lab.scope(wanted, reconciler.value_of), policy, **how)
    else:
        change = lab.change(params, api.now)
        if params["state"] == "exact":
            raise ValueError("state is exact and keys is not given, which would leave no key; name the keys that shall stay.")
        only_for_keys = ("keep_going", "on_unrecoverable", "first_generation", "create")
        refuse_without_effect(params, only_for_keys, "without keys, because only keys that exist are changed; leave it out, or name the keys")
        if params["rotation"]:
            members = lab.members(api, reconciler.value_of)
            wanted = [replace(change(row), create=False) for row in members]
            outcome = reconciler.apply(wanted, lab.scope(wanted, reconciler.value_of), policy, **how)
            deleted = {step.live.token for step in outcome.done if step.action is KeyAction.DELETE and step.live}
            lost = sorted({row.alias for row in members if row.in_service and row.token not in deleted} & set(outcome.absent))
            if lost:
                raise KeysIncomplete(f"the key {lost[0]} was deleted by somebody else while it was rotated; run again for the others.", outcome)
        else:
            refuse_without_effect(params, ("rotation_grace",), "without rotation; leave it out, or give a label in rotation")
            refuse_without_effect(params, ("duration",), "on keys that exist; to give them more time, use extend_for or extend_until")
            outcome = reconciler.change(
                lab.rows_to_change(lab.existing_rows(api, reconciler.value_of), params),
                change,
                lambda: lab.rows_to_change(lab.existing_rows(api, reconciler.value_of), params),
                find_deleted=lambda rows: lab.find_deleted(api, rows),
                check_models=params["check_models"],
            )
    return result_for(task, reconciler, outcome, known)


# ----------------------------------------------------------------------------------------------------------- adoption
def adopt_keys(task: KeyTask) -> dict[str, Any]:
    """Take over the keys of the lab whose values cannot be derived."""
    params = task.params
    known = take_known_values(task)
    api = KeyApi(open_client(task), task.warn)
    reconciler = Reconciler(api, secret_of(params), check_mode=task.check_mode)
    lab = Lab.from_params(params)
    unchanged = lab.change(dict.fromkeys(LIMITS_SPEC), api.now)

    def adopted(row: LiveKey) -> WantedKey:
        return replace(unchanged(row), adopt=not derivable(row, reconciler.value_of))

    def rows() -> list[LiveKey]:
        return lab.existing_rows(api, reconciler.value_of)

    outcome = reconciler.change(rows(), adopted, rows, find_deleted=lambda rows: lab.find_deleted(api, rows))
    return result_for(task, reconciler, outcome, known)
