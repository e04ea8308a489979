# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The report of usage: read the days that are asked for, and group the usage that matches the conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..keys.api import KeyApi
from ..keys.key import LiveKey
from ..keys.lab import Lab
from . import tables
from .api import read_book, read_identities
from .tables import KeyIdentity


def usage_condition(params: Mapping[str, Any], tokens: set[str] | None) -> Callable[[KeyIdentity], bool]:
    """Return a test of one key for all conditions that concern keys. `tokens` are those of the lab, if one is named."""
    owner = (params["owner"] or "").lower()

    def matches(key: KeyIdentity) -> bool:
        return (
            (tokens is None or key.token in tokens)
            and (not params["alias"] or key.alias == params["alias"])
            and (not owner or key.owner.lower() == owner)
            and (not params["team_id"] or key.team == params["team_id"])
            and (not params["package"] or key.package == params["package"])
        )

    return matches


def report_usage(api: KeyApi, params: Mapping[str, Any], groupings: Mapping[str, Sequence[str]], lab: Lab | None) -> dict[str, Any]:
    """Return the usage that `params` (the arguments of `usage_info`) ask for, grouped. Raises GatewayError, or ValueError for unusable days."""
    api.check_admin()
    percent = params["near_budget"]
    now = api.client.now()
    days = tables.days(params["since"], params["until"] or "", now)

    living: list[LiveKey] = []
    known: list[KeyIdentity] = []
    if lab:
        living = lab.rows(api)
        known = [KeyIdentity.of_row(row, deleted=True) for row in lab.deleted_rows(api, living)]
    elif percent is not None:
        living = api.keys()
    known += [KeyIdentity.of_row(row, deleted=False) for row in living]  # last, because a deleted key may have been made again with the same value
    tokens = {key.token for key in known} if lab else None
    book = read_book(api.client, days, tokens)
    notes = read_identities(api, book, known, knows_all_living=lab is None and percent is not None)

    matches = usage_condition(params, tokens)
    kept = {token for token, key in notes.items() if matches(key)}

    def keeps(key: KeyIdentity, model: str) -> bool:
        return key.token in kept and (params["model"] is None or model == params["model"])

    result = {
        "changed": False,
        "usage": {name: tables.usage_table(book, notes, by, keeps) for name, by in groupings.items()},
        "total": tables.total(book, notes, keeps).to_result(),
        "since": days.first.isoformat(),
        "until": days.last.isoformat(),
    }
    if percent is not None:
        wanted = [row for row in living if matches(KeyIdentity.of_row(row, deleted=False))]
        result["near_budget"] = tables.near_budget(wanted, percent, now)
    return {**result, "calls": api.client.calls}
