# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What modules return about requests, and what diff mode shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .audit import audit_events
from .base import Listing, SetAside, Transition
from .desk import MoreTime
from .document import public, render_document
from .erasure import Erasure, PruneOutcome
from .record import DENIED, Record


def transition_result(transition: Transition, *, with_diff: bool) -> dict[str, Any]:
    """Return the result of a change to one request. A removed request is not in it."""
    result: dict[str, Any] = {"changed": transition.changed}
    if with_diff:
        result["diff"] = transition_diff(transition)
    if transition.after is not None:
        result["request"] = public(transition.after)
    return result


def asked_before_note(transition: Transition, wanted: MoreTime) -> str:
    """Return what whoever asks must know if that changed nothing, because the same was asked for before; empty if there is nothing."""
    found = transition.before
    if found is None or transition.changed:
        return ""
    if found.state == DENIED:
        return "It was denied before; with again=true it is asked for anew."
    wish = {"duration": wanted.duration or found.duration, "max_budget": found.max_budget if wanted.max_budget is None else wanted.max_budget}
    asked = {"duration": found.duration, "max_budget": found.max_budget}
    start = wanted.from_end if found.renews else found.from_end
    if not found.open or (wish, start) == (asked, found.from_end):
        return ""
    words = [f"{name} {value}" for name, value in asked.items() if value not in ("", None)] or ["what is usual"]
    words += [f"counted from {'the end of the key' if found.from_end else 'the approval'}"] if found.renews else []
    return f"It still asks for what was asked first ({', '.join(words)}); cancel it to ask for something else."


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


def prune_result(outcome: PruneOutcome) -> dict[str, Any]:
    """Return what pruning did as modules return it."""
    return {"changed": bool(outcome.removed), "removed": outcome.removed, "kept": outcome.kept, "failures": outcome.failures}


def erasure_result(erasure: Erasure) -> dict[str, Any]:
    """Return an erasure as modules return it."""
    proof = {"requests_read": erasure.requests_read, "checked_at": erasure.checked_at, "complete": erasure.complete}
    return {"changed": bool(erasure.erased or erasure.cleaned), "erased": erasure.erased, "cleaned": erasure.cleaned, "left": erasure.left, "proof": proof}
