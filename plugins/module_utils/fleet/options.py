# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The options of the modules for fleets, and the source, rules and needs that they describe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..common import durations, names
from ..common.address import without_secrets
from .live_labs import Source
from .preflight import RATES, Needs
from .verdicts import ReapingRules

LIVE_SPEC: dict[str, dict[str, Any]] = {
    "live_labs": {"type": "list", "elements": "str"},
    "live_file": {"type": "path"},
    "live_command": {"type": "list", "elements": "str"},
    "live_url": {"type": "str"},
    "live_headers": {"type": "dict", "no_log": True},
    "live_ca_path": {"type": "path"},
    "live_items": {"type": "str", "default": ""},
    "live_field": {"type": "str", "default": "guid"},
    "live_minimum": {"type": "int", "default": 1},
    "live_memory": {"type": "path"},
    "live_max_shrink": {"type": "float", "default": 20},
}


def take_source(params: dict[str, Any]) -> Source:
    """Return the source of living labs, and strip credentials from `live_url` in `params`. Raises ValueError."""
    options = {name.removeprefix("live_"): params[name] for name in LIVE_SPEC}
    if params["live_url"]:
        params["live_url"] = without_secrets(params["live_url"])
    return Source(**{**options, "headers": options["headers"] or {}}, timeout=params["timeout"])


def rules_of(params: Mapping[str, Any]) -> ReapingRules:
    """Return the rules for reaping. Raises ValueError for a duration, a share or a `user_base` that cannot be used."""
    if params["user_base"]:
        names.check_user(params["user_base"], "user_base")
    return ReapingRules(
        grace=durations.seconds(params["grace"], "grace", least=0),
        min_age=durations.seconds(params["min_age"], "min_age", least=0),
        max_share=params["max_share"],
        unmanaged=params["unmanaged"],
        user_base=params["user_base"],
    )


def needs_of(params: Mapping[str, Any]) -> Needs:
    """Return what a class needs. Raises ValueError for a capacity, a number or a time that cannot be used."""
    capacity = params["capacity"] or {}
    for name, rates in capacity.items():
        if not isinstance(rates, Mapping) or set(rates) - set(RATES) or not all(str(rate).isdecimal() for rate in rates.values()):
            raise ValueError(f"capacity of {name} is not a mapping with rpm and tpm; give whole numbers a minute.")
    for name in ("num_keys", "min_budget", "rpm_per_key", "tpm_per_key"):
        if params[name] is not None and params[name] < 0:
            raise ValueError(f"{name} is {params[name]}; give a number from 0.")
    return Needs(
        ends=durations.parse_time(params["class_ends"], "class_ends") if params["class_ends"] else None,
        keys=params["num_keys"],
        budget=params["min_budget"],
        capacity={name: {rate: int(value) for rate, value in rates.items()} for name, rates in capacity.items()},
        per_key={rate: params[f"{rate}_per_key"] for rate in RATES},
    )
