# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""From the settings of a run of the workload role to the work on keys that it asks for, and its arguments. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...module_utils.keys.manage import ADOPTION_SPEC, LAB_RULES, LAB_SPEC, ONE_KEY_RULES, ONE_KEY_SPEC, adopt_keys, manage_key, manage_lab


@dataclass(frozen=True)
class KeyCall:
    """Work on keys: a function of `keys.manage` with its argument spec and rules, and the `arguments` for it."""

    work: Callable[[Any], dict[str, Any]]
    spec: Mapping[str, Mapping[str, Any]]
    arguments: dict[str, Any]
    rules: Mapping[str, Any] = field(default_factory=dict)


def key_call(settings: Mapping[str, Any], api_key: str, secret: str = "", *, known_values: Any = None, deleted_elsewhere: Any = None) -> KeyCall:
    """Return the work that the action in `settings` (`settings_of`) asks for.

    `known_values` count where values are returned, `deleted_elsewhere`, keys that were deleted without LiteLLM, when a lab is destroyed.
    """
    connection = {name: value for name, value in settings["connection"].items() if value != ""}
    common = {"url": settings["url"], "api_key": api_key, "secret": secret, **connection}
    action = settings["action"]
    if settings.get("by_id"):
        return KeyCall(manage_key, ONE_KEY_SPEC, {**common, **settings["proof"], "key_id": settings["key_id"], "state": "absent"}, ONE_KEY_RULES)
    lab = {name: settings[name] for name in ("guid", "lab_alias", "user_base")}
    if action == "adopt":
        return KeyCall(adopt_keys, ADOPTION_SPEC, {**common, **lab, "known_values": known_values})
    own = {**settings["proof"], **_CHANGES[action](settings)}
    if "keys" in own:
        own["known_values"] = known_values
    if deleted_elsewhere is not None:
        own["deleted_elsewhere"] = deleted_elsewhere
    return KeyCall(manage_lab, LAB_SPEC, {**common, **lab, **own}, LAB_RULES)


def _provisioning(settings: Mapping[str, Any]) -> dict[str, Any]:
    terms = {name: value for name, value in settings["terms"].items() if name in LAB_SPEC}
    return {**terms, **{name: settings[name] for name in ("metadata", "state", "on_unrecoverable")}, "keys": settings["wanted"]}


def _extension(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in ("extend_for", "extend_until")}


def _rotation(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A rotation without a label has that of the run, so that several hosts rotate a lab once."""
    return {"rotation": settings["rotation"] or settings["run"], "rotation_grace": settings["rotation_grace"]}


_CHANGES: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "provision": _provisioning,
    "create": _provisioning,
    "extend": _extension,
    "rotate": _rotation,
    "stop": lambda _settings: {"blocked": True},
    "start": lambda _settings: {"blocked": False},
    "destroy": lambda _settings: {"state": "absent"},
    "remove": lambda _settings: {"state": "absent"},
}
