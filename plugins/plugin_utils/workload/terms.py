# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The terms of a lab's keys, from a package and what the caller sets instead; and whose keys a lab has. Pure.

Each function raises ValueError with one sentence that names the variable if its value cannot be used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import values
from .names import ROLE

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
"""The settings of a package that reach its keys. A `description` is for people."""

_HIGHEST_BUDGET = 1e12
_HIGHEST_COUNT = 2**53
_RUNTIME = re.compile(r"(?!0*[.]?0*$)[0-9]{1,6}([.][0-9]{1,6})?")


def terms(packages: Any, package: str, own: Mapping[str, Any], runtime: str = "", docling: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the terms of a lab's keys: each of `SETTINGS`, `package` and `docling`.

    `own` may have `models`, `duration` and `max_budget`, which take the place of the package's, and `runtime` (a duration)
    that of both durations. `docling` is empty, or the `model` that keys may call in addition and its `endpoint`.
    """
    place = f"the package '{package}' in {ROLE}_packages"
    found = _package(packages, package, place)
    settings = {**NO_LIMITS}
    for name in SETTINGS:
        value, source = (own[name], f"{ROLE}_{name}") if values.is_given(own.get(name)) else (found.get(name), f"{name} of {place}")
        if name == "duration" and runtime:
            value, source = runtime, ""
        if values.is_given(value):
            settings[name] = _setting(name, value, source)
        elif name not in NO_LIMITS:
            raise ValueError(f"{place[0].upper()}{place[1:]} has no {name}; add it, or set {ROLE}_{name}.")
    if docling:
        settings["models"] = [*settings["models"], *([] if docling["model"] in settings["models"] else [docling["model"]])]
    return {**settings, "package": package, "docling": docling or {}}


def _package(packages: Any, package: str, place: str) -> dict[str, Any]:
    known = values.mapping(packages, f"{ROLE}_packages") or {}
    if package not in known:
        choice = f"choose one of {', '.join(known)}, or add it to {ROLE}_packages" if known else f"{ROLE}_packages is empty, so add it there"
        raise ValueError(f"{ROLE}_subscription_package is '{package}', and there is no such package; {choice}.")
    found = values.mapping(known[package], place) or {}
    unknown = sorted(name for name in found if name not in (*SETTINGS, "description"))
    if unknown:
        raise ValueError(
            f"{place[0].upper()}{place[1:]} has {', '.join(unknown)}, which no package can have; correct it to one of {', '.join(SETTINGS)}, or take it out."
        )
    return found


def _setting(name: str, value: Any, source: str) -> Any:
    if name in ("models", "allowed_routes", "tags"):
        found = values.text_list(value, source)
        if name == "models" and not found:
            raise ValueError(f"{source} is empty; name at least one model.")
        return found
    if name in ("duration", "budget_duration"):
        return values.duration(value, source, never=True)
    if name in ("max_budget", "soft_budget"):
        return values.number(value, source, -1, _HIGHEST_BUDGET, "USD")
    if name == "team_id":
        return values.text(value, source).strip()
    return values.whole_number(value, source, -1, _HIGHEST_COUNT)


def runtime_duration(user_info: Any) -> str:
    """Return `agnosticd_user_info.runtime`, in hours, as a duration: whole hours in hours, any other in minutes. Empty if not given."""
    runtime = user_info.get("runtime") if isinstance(user_info, Mapping) else None
    if not values.is_given(runtime):
        return ""
    written = str(runtime).strip()
    if isinstance(runtime, bool) or not _RUNTIME.fullmatch(written):
        raise ValueError(f"agnosticd_user_info.runtime is {values.as_typed(runtime)}, which is not a number of hours above zero; correct it.")
    minutes = max(round(float(written) * 60), 1)
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


# -------------------------------------------------------------------------------------------------------------- users
def has_many_users(multi_user: Any, tenant: str, lab_multi_user: Any, num_users: Any, names: Mapping[str, str]) -> bool:
    """Return whether each of several users gets a key.

    The role's own `multi_user` decides; else a `tenant` is one user; else AgnosticD's `ocp4_workload_multi_user`, or more than
    one of `num_users`. `names` are the variables' names, for errors.
    """
    own = values.flag(multi_user, names["multi_user"], False) if values.is_given(multi_user) else None
    if own is not None:
        return own
    if tenant:
        return False
    return values.flag(lab_multi_user, names["lab_multi_user"], False) or (values.whole_number(num_users, names["num_users"], 0, 10**6) or 0) > 1


def keys_of_users(user_base: str, count: int, email_domain: str) -> list[dict[str, str]]:
    """Return the keys of `count` users, as the module `virtual_keys` takes them."""
    users = [f"{user_base}{number}" for number in range(1, count + 1)]
    return [{"user": user, "user_id": f"{user}@{email_domain}"} for user in users]
