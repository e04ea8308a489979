# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What modules return about requests, and what diff mode shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .audit import audit_events
from .base import Listing, SetAside, Transition
from .document import public, render_document
from .record import Record


def transition_result(transition: Transition, *, with_diff: bool) -> dict[str, Any]:
    """Return the result of a change to one request. A removed request is not in it."""
    result: dict[str, Any] = {"changed": transition.changed}
    if with_diff:
        result["diff"] = transition_diff(transition)
    if transition.after is not None:
        result["request"] = public(transition.after)
    return result


def listing_result(listing: Listing, *, with_audit: bool = False) -> dict[str, Any]:
    """Return the result of listing requests."""
    return {
        "changed": False,
        "requests": [public(record) for record in listing.records],
        "set_aside": set_aside_result(listing.set_aside),
        **({"audit": audit_events(listing.records)} if with_audit else {}),
    }


def set_aside_result(set_aside: Iterable[SetAside]) -> list[dict[str, str]]:
    """Return the records that cannot be read."""
    return [{"name": entry.name, "reason": entry.reason} for entry in set_aside]


def transition_diff(transition: Transition) -> dict[str, Any]:
    """Return the request before and after, as Ansible shows a diff. A request that does not exist is empty."""
    return {"before": _shown(transition.before), "after": _shown(transition.after)}


def _shown(record: Record | None) -> dict[str, Any]:
    return {} if record is None else render_document(record)
