# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the role ocp4_workload_litellm_virtual_keys publishes: facts, user data and messages about a lab's keys. Pure.

`keys` is what the module `virtual_keys` returned under that name, and `settings` what the action `workload_settings` did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from ...module_utils.common import durations

REPEATED = {
    "LiteLLM API Endpoint: {}": "litellm_api_base_url",
    "LiteLLM Virtual Key: {}": "litellm_virtual_key",
    "Created {} virtual keys": "litellm_user_count",
    "Available Models: {}": "litellm_available_models_list",
    "Key Duration: {}": "litellm_key_duration",
    "Key Expires: {}": "litellm_key_expires",
    "Docling Endpoint: {}": "litellm_docling_endpoint",
    "Docling Model: {}": "litellm_docling_model",
}
"""The messages that repeat user data, each with the name of the data that stands in it."""

_NEVER = "never"
_CLOSE = timedelta(minutes=2)

Key = Mapping[str, Any]


def publication(result: Mapping[str, Any], settings: Mapping[str, Any], *, former: Mapping[str, Any] | None = None, deleted: int = -1) -> dict[str, Any]:
    """Return what to publish after an action, from the `result` of its work on keys. It holds the values of keys.

    - `facts`: every fact of the role but the receipt, so that nothing of another lab is left.
    - `data`, `users`: user data for everybody, and by user.
    - `saves`: the calls that save them, as arguments; several if the data of each user is to be seen in the output. `extend` only changes
      what provisioning saved, `stop` and `start` not even that.
    - `messages`: the messages of the action; `repeats`: `REPEATED`.

    `former` has the facts `litellm_virtual_key` and `_litellm_user_data` as they were: an action that does not return values
    leaves those that still belong to the keys. `deleted` is how many keys were destroyed, or -1 for an action that destroys none.
    """
    values, action, terms = _values_by_id(former or {}), settings["action"], settings.get("terms") or {}
    living = [{**values.get(key["key_id"], {}), **key} for key in result["virtual_keys"] if key.get("action") != "deleted"]
    of_users = [key for key in living if key.get("user")]
    data, users = _user_data(living, of_users, settings, terms)
    messages = _messages(result, settings, living, data)
    if action == "extend":  # its own messages say so; what provisioning saved is the rest
        data, users = _only_ends(data), {user: _only_ends(own) for user, own in users.items()}
    deletion = {"litellm_key_deleted": deleted > 0, "litellm_key_was_missing": deleted == 0, "litellm_revocation": result.get("revocation") or {}}
    return {
        "facts": {**_facts(settings, living, of_users, terms), **deletion},
        "data": data,
        "users": users,
        "saves": [] if action in ("extend", "stop", "start") else list(_saves(data, users, hidden=settings["hidden"])),
        "messages": messages,
        "repeats": REPEATED,
    }


def _saves(data: Mapping[str, Any], users: Mapping[str, Mapping[str, Any]], *, hidden: bool) -> Iterable[dict[str, Any]]:
    """Yield calls that save user data. A portal that reads job events instead of files finds each user in an event of its own, unless they are hidden."""
    if hidden:
        yield {"data": data, "users": users}
        return
    yield {"data": data}
    for user, own in users.items():
        yield {"user": user, "data": own}


def _user_data(
    living: Sequence[Key], of_users: Sequence[Key], settings: Mapping[str, Any], terms: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the user data for everybody, and by user. The only key of a lab is everybody's."""
    described = _data_of_terms(settings["endpoint"], terms) if terms else {}
    if of_users:
        shared = {**described, **_ends(_first_to_end(living), terms), "litellm_user_count": len(of_users)}
        if settings["all_keys"]:
            shared |= _facts_of_users(of_users) | _lists_of_users(of_users)
        return shared, {key["user"]: {**described, **_data_of_key(key, terms)} for key in of_users}
    if not living:
        return {}, {}
    own = {**described, **_data_of_key(living[0], terms)}
    return own, {settings["tenant"]: own} if settings["tenant"] and settings["tenants"] else {}


def _first_to_end(living: Sequence[Key]) -> Key | None:
    return min(living, key=lambda key: key.get("expires") or "~", default=None)


def _only_ends(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name == "litellm_key_expires"}


def _values_by_id(former: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the values among former facts, by the id of their key."""
    of_users = former.get("_litellm_user_data")
    known = [former.get("litellm_virtual_key"), *(of_users.values() if isinstance(of_users, Mapping) else [])]
    return {hashlib.sha256(value.encode()).hexdigest(): {"value": value} for value in known if isinstance(value, str) and value}


# ------------------------------------------------------------------------------------------------------ ends of keys
def _end(key: Key) -> str:
    return key.get("expires") or _NEVER


def _ends(key: Key | None, terms: Mapping[str, Any]) -> dict[str, str]:
    """Return when a key ends, and its lifetime if `terms` say what it was to be."""
    if key is None:
        return {}
    return {**({"litellm_key_duration": duration_of(key, terms["duration"])} if terms else {}), "litellm_key_expires": _end(key)}


def duration_of(key: Key, wanted: str) -> str:
    """Return how long a key is valid from its creation on: `wanted`, the lifetime in its terms, unless its end says otherwise.

    A key that was there before keeps its end when the terms change.
    """
    if key.get("action") == "created" or not key.get("created_at"):
        return wanted
    if not key.get("expires"):
        return _NEVER
    span = durations.parse_time(key["expires"]) - durations.parse_time(key["created_at"])
    if wanted != _NEVER and abs(span - timedelta(seconds=durations.seconds(wanted))) < _CLOSE:
        return wanted
    for unit in (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)):
        count = round(span / unit)
        if count and abs(span - count * unit) < _CLOSE:
            return durations.spell(round((count * unit).total_seconds()))
    return durations.spell(max(round(span.total_seconds()), 1))


# -------------------------------------------------------------------------------------------------------------- facts
def _facts(settings: Mapping[str, Any], living: Sequence[Key], of_users: Sequence[Key], terms: Mapping[str, Any]) -> dict[str, Any]:
    first: Key = living[0] if living else {}
    shown = settings["values_in_facts"]
    return {
        "litellm_api_endpoint": settings["endpoint"],
        "litellm_api_base_url": f"{settings['endpoint']}/v1",
        "litellm_virtual_key": first.get("value", "") if shown else "",
        "litellm_key_alias": first.get("alias") or settings["alias"],
        "litellm_key_id": first.get("key_id", ""),
        "litellm_key_expires": _end(first) if living else "",
        "litellm_key_duration": duration_of(first, terms["duration"] if terms else _NEVER) if living else "",
        "litellm_available_models": terms["models"] if terms else first.get("models") or [],
        "litellm_subscription_package": terms["package"] if terms else first.get("package", ""),
        "_litellm_user_data": _facts_of_users(of_users) if shown else {},
    }


def _facts_of_users(of_users: Sequence[Key]) -> dict[str, Any]:
    """Return `litellm_user1_virtual_key` and its like for all users."""
    parts = {"virtual_key": "value", "key_alias": "alias", "key_id": "key_id", "user_email": "user_id"}
    found = {f"litellm_{key['user']}_{part}": key.get(name, "") for part, name in parts.items() for key in of_users}
    return {**found, **{f"litellm_{key['user']}_key_expires": _end(key) for key in of_users}}


def _lists_of_users(of_users: Sequence[Key]) -> dict[str, Any]:
    """Return the lists that release 1.3.2 saved for everybody, in the order of the users, and the key of the first one."""
    first = of_users[0]
    return {
        "litellm_virtual_keys": [key.get("value", "") for key in of_users],
        "litellm_key_aliases": [key["alias"] for key in of_users],
        "litellm_key_ids": [key["key_id"] for key in of_users],
        "litellm_user_ids": [key.get("user_id") or "" for key in of_users],
        "litellm_virtual_key": first.get("value", ""),
        "litellm_key_alias": first["alias"],
        "litellm_key_id": first["key_id"],
    }


# ---------------------------------------------------------------------------------------------------------- user data
def _data_of_key(key: Key, terms: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **({"litellm_virtual_key": key["value"]} if "value" in key else {}),
        "litellm_key_alias": key["alias"],
        "litellm_key_id": key["key_id"],
        **_ends(key, terms),
        **({"litellm_user_email": key.get("user_id")} if key.get("user") else {}),
    }


def _data_of_terms(endpoint: str, terms: Mapping[str, Any]) -> dict[str, Any]:
    docling = terms["docling"]
    return {
        "litellm_api_endpoint": endpoint,
        "litellm_api_base_url": f"{endpoint}/v1",
        "litellm_available_models": terms["models"],
        "litellm_available_models_list": ", ".join(terms["models"]),
        "litellm_subscription_package": terms["package"],
        **({"litellm_docling_endpoint": docling["endpoint"], "litellm_docling_model": docling["model"]} if docling else {}),
    }


def _messages(result: Mapping[str, Any], settings: Mapping[str, Any], living: Sequence[Key], data: Mapping[str, Any]) -> list[str]:
    action, count = settings["action"], len(living)
    if action == "rotate":
        return [f"New values for {count} virtual keys"]
    if action == "adopt":
        return [f"Took over {count} virtual keys, of which {sum('value' in key for key in living)} have a value that is known"]
    if action == "extend":
        end = (_first_to_end(living) or {}).get("expires") or "the gateway ends"
        return [f"LiteLLM Virtual Keys valid until {end}"] if result.get("changed") else []
    return _messages_about(data, any(key.get("user") for key in living)) if settings.get("terms") and living else []


def _messages_about(data: Mapping[str, Any], many: bool) -> list[str]:
    """Return a message for each of `REPEATED` that the data has. Keys of many users stay out of messages to everybody."""
    shown = data if many else {"litellm_virtual_key": "as it was handed out", **data}
    return [form.format(shown[name]) for form, name in REPEATED.items() if name in shown and not (many and name == "litellm_virtual_key")]


# --------------------------------------------------------------------------------------------------------- what is done
def plan_lines(result: Mapping[str, Any], *, check_mode: bool, with_diff: bool) -> list[str]:
    """Return one line for each key that changed, or would change in check mode, and with `with_diff` one for each setting.

    `result` is that of a module for keys. Nothing in the lines is secret.
    """
    before, after = (result.get("diff") or {}).get("before") or {}, (result.get("diff") or {}).get("after") or {}
    keys = result.get("virtual_keys") or []
    lines = []
    for key in keys:
        alias, action = key["alias"], key["action"]
        if action == "unchanged":
            continue
        lines.append(f"{alias}: {f'would be {action}' if check_mode else action}")
        if with_diff:
            lines += _changes(before.get(alias) or {}, after.get(alias) or {})
    unchanged = sum(key["action"] == "unchanged" for key in keys)
    return [*lines, *([f"{unchanged} {'key' if unchanged == 1 else 'keys'} unchanged"] if unchanged or not lines else [])]


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[str]:
    for name in dict.fromkeys((*before, *after)):
        was, is_now = _shown(before.get(name)), _shown(after.get(name))
        if was != is_now:
            yield f"  {name}: {was} -> {is_now}"


def _shown(value: Any) -> str:
    if value is None:
        return "(none)"
    return ", ".join(map(str, value)) or "(none)" if isinstance(value, (list, tuple)) else str(value)


# ------------------------------------------------------------------------------------------------------------- receipt
def receipt_messages(result: Mapping[str, Any], guid: object, *, check_mode: bool = False) -> list[str]:
    """Return what to report about a receipt, from the result of the module `spend_receipt`, which may have failed."""
    receipt = result.get("receipt")
    messages = []
    if result.get("code") or receipt is None:
        reason = result.get("msg", "the module failed.")
        messages.append(f"WARNING: there is no file with the receipt of lab {guid}, whose keys are deleted all the same: {reason}")
    if receipt is not None:
        dest = "" if check_mode else result.get("dest")
        messages.append(f"The lab {guid} has spent {receipt['total']['cost']:.4f} USD{f'; receipt: {dest}' if dest else ''}.")
    return messages
