# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Refuse what the gateway's release of LiteLLM would accept and not do, or could not show afterwards; see `litellm/capabilities.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..litellm import errors
from ..litellm.client import Client
from ..litellm.errors import Refused
from .key import LiveKey
from .plan import KeyAction, KeyStep


def refusal_of_payload(client: Client, alias: str, payload: Mapping[str, Any]) -> Refused | None:
    """Return a refusal of the body of a call that writes the key `alias` if the gateway's release cannot do what it says.

    A gateway that has shown no key yet is taken for a current release.
    """
    able = client.capabilities
    if not able.lists_tiers and payload.get("soft_budget") is not None:
        return Refused(
            f"soft_budget cannot be set on the key {alias}, because {_release(client)} does not show in its list of keys whether it is;"
            " leave soft_budget out, or update LiteLLM to 1.102 or later.",
            "unsupported_release",
        )
    if not able.takes_budget_duration_off and "budget_duration" in payload and payload["budget_duration"] is None:
        return Refused(
            f"budget_duration cannot be taken off the key {alias}, because {_release(client)} ignores that; give a budget_duration, delete the"
            " key and make it again, or update LiteLLM to 1.90 or later.",
            "unsupported_release",
        )
    return None


def refusal_by_release(client: Client, step: KeyStep) -> Refused | None:
    """Return a refusal of `step` if the gateway's release cannot carry it out. Asks the gateway only for keys to rotate whose tiers it does not list.

    Raises GatewayError.
    """
    for call in step.calls:
        refusal = refusal_of_payload(client, step.alias, call.payload)
        if refusal:
            return refusal
    if not client.capabilities.lists_tiers and step.action is KeyAction.ROTATE and any(_has_tier(client, row) for row in step.retired):
        return Refused(
            f"the key {step.alias} has budget_id, which {_release(client)} does not list and a new value would not have; take the budget tier off"
            " the key, or make its successor by hand.",
            KeyAction.NOT_CARRIED.value,
        )
    return None


def _release(client: Client) -> str:
    return f"the release of LiteLLM at {client.connection.base}"


def _has_tier(client: Client, row: LiveKey) -> bool:
    """Return whether a key has a budget tier, by asking for the key itself. One that was deleted meanwhile has none."""
    try:
        answer = client.get("/key/info", {"key": row.token})
        return bool(answer["info"].get("budget_id"))
    except errors.NotFound:
        return False
    except (AttributeError, KeyError, TypeError):
        raise errors.not_litellm(client.connection.base, "GET /key/info", "a key") from None
