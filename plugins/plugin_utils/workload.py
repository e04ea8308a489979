# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Terms, keys and user info of the role ocp4_workload_litellm_virtual_keys. Pure: the role's tasks do the work.

`terms` and `keys` turn the role's variables into arguments of the module `virtual_keys`. `user_info` turns the keys that the
module returns into facts, user data and messages, and `receipt_messages` reports a receipt. A bad package is returned as a
problem instead of raised, because some actions, such as extend, need no package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

ROLE = "ocp4_workload_litellm_virtual_keys"

NO_LIMITS: dict[str, Any] = {
    "max_budget": -1,
    "soft_budget": -1,
    "budget_duration": "never",
    "rpm_limit": -1,
    "tpm_limit": -1,
    "max_parallel_requests": -1,
    "allowed_routes": [],
    "tags": [],
    "team_id": "",
}
"""For each limit, the value that removes it from a key. A key has no limit that its package does not name."""

SETTINGS = ("models", "duration", *NO_LIMITS)
"""The settings that a package may have."""

_SEVERAL = re.compile(r"0*([2-9]|[1-9][0-9]+)")
_WHOLE = re.compile(r"[0-9]+")


# ------------------------------------------------------------------------------------------------------------- terms
def terms(
    packages: Mapping[str, Any],
    package: str,
    *,
    models: Sequence[Any] | None = None,
    duration: object = None,
    max_budget: object = None,
    runtime: str = "",
    docling: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the terms of a lab's keys: each of `SETTINGS`, `package`, `docling`, `runtime_duration` and `problem`.

    `models`, `duration` and `max_budget` take the place of the package's own, and `runtime` (hours) that of both durations.
    `docling` is empty, or the `model` that the keys may call in addition and its `endpoint`. `problem` is one sentence for
    the user, or empty; with a problem some of `SETTINGS` may be missing.
    """
    found = packages.get(package)
    by_runtime = runtime_duration(runtime)
    given = {"models": models, "duration": by_runtime or duration, "max_budget": max_budget}
    own = {name: value for name, value in given.items() if value is not None}
    of_package = {name: value for name, value in found.items() if name in SETTINGS} if isinstance(found, Mapping) else {}
    settings = {**NO_LIMITS, **of_package, **own}
    problem = _problem(packages, package, settings)
    if docling and not problem:
        settings["models"] = [*settings["models"], docling["model"]]
    return {**settings, "package": package, "docling": docling or {}, "runtime_duration": by_runtime, "problem": problem}


def _problem(packages: Mapping[str, Any], package: str, settings: Mapping[str, Any]) -> str:
    """Return why no keys can be made of the package and `settings` (its own and the caller's), or an empty text."""
    if package not in packages:
        return (
            f"{ROLE}_subscription_package is '{package}', and there is no such package; choose one of {', '.join(map(str, packages))}, "
            f"or add it to {ROLE}_packages."
        )
    if not isinstance(packages[package], Mapping):
        return f"The package '{package}' in {ROLE}_packages is not a mapping; give it models and duration."
    unknown = sorted(str(name) for name in packages[package] if name not in SETTINGS)
    if unknown:
        return (
            f"The package '{package}' in {ROLE}_packages has {', '.join(unknown)}, which no package can have; correct it to one of "
            f"{', '.join(SETTINGS)}, or take it out."
        )
    for name in ("models", "duration"):
        if name not in settings:
            return f"The package '{package}' in {ROLE}_packages has no {name}; add it, or set {ROLE}_{name}."
    if isinstance(settings["models"], str) or not isinstance(settings["models"], Sequence):
        return f"The models of the package '{package}', or those in {ROLE}_models, are not a list; give a list of their names."
    return ""


def runtime_duration(runtime: str) -> str:
    """Return a runtime in hours as a duration: whole hours in hours, any other in minutes. Empty for no runtime."""
    if not runtime:
        return ""
    if _WHOLE.fullmatch(runtime):
        return f"{runtime}h"
    try:
        return f"{round(float(runtime) * 60)}m"
    except (ValueError, OverflowError):  # the role refuses it before anything is written
        return "0m"


# -------------------------------------------------------------------------------------------------------------- keys
def keys(
    user_count: object,
    *,
    user_base: str,
    email_domain: str,
    user_id: object,
    multi_user: bool | None = None,
    tenant: str = "",
    lab_multi_user: bool = False,
    num_users: object = 1,
) -> list[dict[str, str]]:
    """Return the keys to ask for: one for each of many users, or the lab's only one.

    When `multi_user` is None, AgnosticD's variables decide: `lab_multi_user`, or more than one of `num_users`. A `tenant`
    is one user, whatever they say.
    """
    if multi_user is None:
        multi_user = not tenant and (lab_multi_user or _SEVERAL.fullmatch(str(num_users)) is not None)
    if not multi_user:
        return [{"user_id": str(user_id).strip()}]
    count = str(user_count)
    users = [f"{user_base}{number}" for number in range(1, int(count) + 1)] if _WHOLE.fullmatch(count) else []
    return [{"user": user, "user_id": f"{user}@{email_domain}"} for user in users]


# --------------------------------------------------------------------------------------------------------- user info
def user_info(
    virtual_keys: Sequence[Mapping[str, Any]],
    *,
    endpoint: str = "",
    terms: Mapping[str, Any] | None = None,
    values_in_facts: bool = True,
    all_keys: bool = False,
) -> dict[str, Any]:
    """Return what to publish about keys that the module `virtual_keys` returned. It holds their values.

    - `facts`: the facts of the first key by name, and `_litellm_user_data` of all users' keys.
    - `user_count`, `count`, `known_count`: how many keys have a user, how many there are, and of how many the value is known.
    - `shared_data`: user data for everybody in a lab of several users.
    - `data_by_user`: user data by user.
    - `data_by_key`: for each key its `user` (empty for the lab's only key), `alias` and user data, `data`.
    - `messages`: the messages after provisioning; none without `terms`.
    - `earliest_end`: when the first of the keys ends, in ISO 8601; empty when none ends.

    `values_in_facts` is false where facts must not hold values. With `all_keys` the shared data hold the keys of all users.
    """
    living = [key for key in virtual_keys if key.get("action") != "deleted"]
    of_users = [key for key in living if key.get("user")]
    facts_of_users = _facts_of_users(of_users)
    described = _data_of_terms(endpoint, terms) if terms and not terms["problem"] else {}
    data_by_key = [{"user": key.get("user") or "", "alias": key["alias"], "data": {**described, **_data_of_key(key)}} for key in living]
    return {
        "facts": {
            **(_facts_of_first(living[0], values_in_facts) if living else {}),
            "_litellm_user_data": facts_of_users if values_in_facts else {},
        },
        "user_count": len(of_users),
        "count": len(living),
        "known_count": sum("value" in key for key in living),
        "shared_data": {**described, "litellm_user_count": len(of_users), **(facts_of_users if all_keys else {})},
        "data_by_user": {entry["user"]: entry["data"] for entry in data_by_key if entry["user"]},
        "data_by_key": data_by_key,
        "messages": _messages(described, living, len(of_users)) if described else [],
        "earliest_end": min((key["expires"] for key in living if key.get("expires")), default=""),
    }


def _facts_of_first(key: Mapping[str, Any], with_value: bool) -> dict[str, Any]:
    return {
        "litellm_virtual_key": key.get("value", "") if with_value else "",
        "litellm_key_alias": key["alias"],
        "litellm_key_id": key["key_id"],
    }


def _facts_of_users(of_users: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return `litellm_user1_virtual_key` and its like for all users."""
    parts = {"virtual_key": "value", "key_alias": "alias", "key_id": "key_id", "user_email": "user_id"}
    return {f"litellm_{key['user']}_{part}": key.get(name, "") for part, name in parts.items() for key in of_users}


def _data_of_key(key: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **({"litellm_virtual_key": key["value"]} if "value" in key else {}),
        "litellm_key_alias": key["alias"],
        "litellm_key_id": key["key_id"],
        **({"litellm_user_email": key.get("user_id")} if key.get("user") else {}),
    }


def _data_of_terms(endpoint: str, terms: Mapping[str, Any]) -> dict[str, Any]:
    docling = terms["docling"]
    return {
        "litellm_api_endpoint": endpoint,
        "litellm_api_base_url": f"{endpoint}/v1",
        "litellm_available_models": terms["models"],
        "litellm_available_models_list": ", ".join(map(str, terms["models"])),
        "litellm_key_duration": terms["duration"],
        "litellm_subscription_package": terms["package"],
        **({"litellm_docling_endpoint": docling["endpoint"], "litellm_docling_model": docling["model"]} if docling else {}),
    }


def _messages(described: Mapping[str, Any], living: Sequence[Mapping[str, Any]], user_count: int) -> list[str]:
    first = (living[0] if living else {}).get("value", "as it was handed out")
    messages = [
        f"LiteLLM API Endpoint: {described['litellm_api_base_url']}",
        f"Created {user_count} virtual keys" if user_count else f"LiteLLM Virtual Key: {first}",
        f"Available Models: {described['litellm_available_models_list']}",
        f"Key Duration: {described['litellm_key_duration']}",
    ]
    if "litellm_docling_endpoint" in described:
        messages += [f"Docling Endpoint: {described['litellm_docling_endpoint']}", f"Docling Model: {described['litellm_docling_model']}"]
    return messages


# ----------------------------------------------------------------------------------------------------------- receipt
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
