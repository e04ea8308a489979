# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The receipt of a lab: its spend, read in two calls, so that every destruction of a lab can afford one.

LiteLLM lists a lab's keys with the spend of each, but it reports requests, tokens and models only for one key at a time, or
for all keys of the gateway. So the receipt has these only for a lab that has always had one key; for a lab of several keys
it has the spend of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..common import durations
from ..keys.api import KeyApi
from ..keys.key import LiveKey
from ..keys.lab import Lab
from .api import read_book
from .tables import Book, Days, KeyIdentity, total, usage_table

DELAY = "LiteLLM writes what a request cost some seconds after it, about ten by default: requests of the last moments may be missing."
RESET = "Some keys have a budget that is set back from time to time. Their spend is that since the last time, and the total is too small by what was before."
FORMER = "Without former keys, if there were any that were deleted past LiteLLM."
SHORT = "Requests, tokens and models of a lab of several keys: ansible-playbook rhpds.litellm_virtual_keys.report, also after the deletion."


@dataclass(frozen=True)
class Spent:
    """The keys of a lab, and its usage. `book` is None if the usage would have taken too many calls."""

    living: Sequence[LiveKey]
    deleted: Sequence[LiveKey]
    book: Book | None = None


def read_spent(api: KeyApi, lab: Lab) -> Spent:
    """Read what the lab has spent, with at most two calls and one more for each further hundred keys. Raises GatewayError."""
    living = lab.rows(api)
    if len(living) == 1 and _always_alone(living[0]):
        (row,) = living
        now = api.client.now()
        days = Days((row.created_at or now).date(), now.date())
        return Spent(living, [], read_book(api.client, days, {row.token}))
    return Spent(living, lab.deleted_rows(api, living))


def _always_alone(row: LiveKey) -> bool:
    """Return whether a lab's key has neither siblings nor predecessors."""
    return row.notes is not None and not row.notes.user and row.generation == 0 and not row.notes.retired_from


def receipt_of(lab: Lab, spent: Spent, now: datetime) -> dict[str, Any]:
    """Return the receipt. Amounts are in USD, times in UTC."""
    keys = [_key(row, deleted) for rows, deleted in ((spent.living, False), (spent.deleted, True)) for row in rows]
    keys.sort(key=lambda key: (key["deleted"], key["key"]))
    sums: dict[str, Any] = {"cost": round(sum(key["spend"] for key in keys), 10)}
    remarks = [DELAY]
    by_model = None
    if spent.book is not None:
        notes = {row.token: KeyIdentity.of_row(row, deleted=False) for row in spent.living}
        notes[""] = KeyIdentity("")
        sums = total(spent.book, notes, lambda _key, _model: True).to_result()
        by_model = usage_table(spent.book, notes, ["model"], lambda _key, _model: True)
    else:
        remarks += [SHORT, *([RESET] if any(key["budget_duration"] for key in keys) else []), FORMER]
    return {"guid": lab.guid, "lab": lab.alias, "made": durations.iso(now), "total": sums, "keys": keys, "models": by_model, "remarks": remarks}


def _key(row: LiveKey, deleted: bool) -> dict[str, Any]:
    return {
        **KeyIdentity.of_row(row, deleted=deleted).to_result(),
        "spend": row.spend,
        "max_budget": row.fields.get("max_budget"),
        "budget_duration": row.fields.get("budget_duration"),
        "created_at": durations.iso(row.created_at) if row.created_at else None,
        "expires": durations.iso(row.expires) if row.expires else None,
    }
