# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""LiteLLM's daily totals of usage and cost, and the tables made from them. Pure, no I/O.

LiteLLM's database adds requests up by day, key and model (`/user/daily/activity/aggregated`). A `Book` holds those sums,
`KeyIdentity` say to whom a key belongs, and `usage_table` groups by any of `DIMENSIONS`. Days begin at 00:00 UTC, as in LiteLLM.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ..common import durations
from ..common.names import ALIAS_PREFIX, lab_of_alias
from ..common.printable import printable, quoted
from ..keys.key import LiveKey

DIMENSIONS = ("day", "key", "lab", "user", "owner", "team", "package", "model")
MASTER_KEY = "litellm_proxy_master_key"  # LiteLLM's name for the master key

_BACK = re.compile(r"[0-9]+[a-z]+")
_NOTHING_USD = 5e-11
"""What a result shows as 0."""
_REST = 1e-9
"""A rest of this share of what it was taken from comes from adding and subtracting fractions, and is nothing."""


# ----------------------------------------------------------------------------------------------------------------- days
@dataclass(frozen=True)
class Days:
    """Whole days, both ends included."""

    first: date
    last: date

    @property
    def count(self) -> int:
        return (self.last - self.first).days + 1

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=number) for number in range(self.count))

    def windows(self, number: int) -> list[Days]:
        """Return the days in at most `number` parts of the same length, except that the last may be shorter."""
        size = -(-self.count // max(1, min(number, self.count)))
        starts = range(0, self.count, size)
        return [Days(self.first + timedelta(days=start), min(self.last, self.first + timedelta(days=start + size - 1))) for start in starts]


def days(since: str, until: str, now: datetime) -> Days:
    """Return the days from `since` to `until`.

    `since` is a day (`2026-11-01`) or a time back from now: `30d` means today and the 29 days before it, `6h` the one or
    two days of the last six hours. `until` is a day, or '' for today; a day in the future means today. Raises ValueError
    for anything else, and for a range without usage.
    """
    today = now.astimezone(UTC).date()
    first = _back(since, now) if _BACK.fullmatch(since) else _day(since, "since", " nor a time back from now such as 30d")
    last = _day(until, "until") if until else today
    if first > today:
        raise ValueError(f"since is {since}, which is yet to come (today is {today} in UTC); give a day that has begun.")
    if last < first:
        raise ValueError(f"since ({first}) is after until ({last}), so there is no day between them; exchange them.")
    if first < today - timedelta(seconds=durations.LONGEST_SECONDS):
        raise ValueError(f"since is {since}, which is more than ten years ago; give a later day.")
    return Days(first, min(last, today))


def _day(text: str, name: str, more: str = "") -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name} is {quoted(text)}, which is not a day such as 2026-11-01{more}.") from None


def _back(text: str, now: datetime) -> date:
    span = timedelta(seconds=durations.seconds(text, "since"))
    start = now.astimezone(UTC) - span
    return start.date() if text[-1] in "smh" else start.date() + timedelta(days=1)


# -------------------------------------------------------------------------------------------------------------- sums
@dataclass(slots=True)
class Sums:
    """Totals of requests. `requests` includes those that failed. `cost` is in USD."""

    requests: int = 0
    requests_ok: int = 0
    requests_failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, Any]) -> Sums:
        """Return the sums in LiteLLM's `metrics`. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            int(metrics["api_requests"]),
            int(metrics["successful_requests"]),
            int(metrics["failed_requests"]),
            int(metrics["prompt_tokens"]),
            int(metrics["completion_tokens"]),
            float(metrics["spend"]),
        )

    def add(self, other: Sums, sign: int = 1) -> None:
        self.requests += sign * other.requests
        self.requests_ok += sign * other.requests_ok
        self.requests_failed += sign * other.requests_failed
        self.tokens_in += sign * other.tokens_in
        self.tokens_out += sign * other.tokens_out
        self.cost += sign * other.cost

    def settle(self, whole: float) -> None:
        """Make the cost 0 if it is only what rounding left of `whole`, in USD."""
        if abs(self.cost) <= max(_NOTHING_USD, _REST * abs(whole)):
            self.cost = 0.0

    def __bool__(self) -> bool:
        return bool(self.requests or self.tokens_in or self.tokens_out or abs(self.cost) > _NOTHING_USD)

    def to_result(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "requests_ok": self.requests_ok,
            "requests_failed": self.requests_failed,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost": round(self.cost, 10),
        }


@dataclass
class Book:
    """Sums by day, token of the key, and model; and the metadata that LiteLLM keeps of each key: alias, team, user.

    The model or token '' stands for usage that LiteLLM attributes to none. Calls that were refused before they named a model
    are left out: they come from expired keys, and from this collection's own proof that a key was deleted.
    """

    sums: dict[tuple[str, str, str], Sums] = field(default_factory=dict)
    metadata: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def enter(self, answer: Mapping[str, Any]) -> None:
        """Add an answer of `/user/daily/activity/aggregated`. Raises KeyError, TypeError or ValueError for anything else."""
        for day in answer["results"]:
            self._enter_day(str(day["date"]), day["metrics"], day["breakdown"])

    def _enter_day(self, day: str, metrics: Mapping[str, Any], breakdown: Mapping[str, Any]) -> None:
        rest = Sums.from_metrics(metrics)
        rest_of = {}
        for token, of_key in breakdown["api_keys"].items():
            rest_of[token] = Sums.from_metrics(of_key["metrics"])
            rest.add(rest_of[token], -1)
            self.metadata[token] = of_key["metadata"]
        for model, of_model in breakdown["model_groups"].items():
            of_keys = of_model["api_key_breakdown"]
            for token, of_key in of_keys.items():
                sums = Sums.from_metrics(of_key["metrics"])
                if token in rest_of:
                    rest_of[token].add(sums, -1)
                self._add(day, token, model, sums)
        for token, sums in rest_of.items():
            sums.settle(float(breakdown["api_keys"][token]["metrics"]["spend"]))
            self._add(day, token, "", sums)
        rest.settle(float(metrics["spend"]))
        self._add(day, "", "", rest)

    def _add(self, day: str, token: str, model: str, sums: Sums) -> None:
        refused = not model and not (sums.requests_ok or sums.tokens_in or sums.tokens_out or abs(sums.cost) > _NOTHING_USD)
        if sums and not refused:
            self.sums.setdefault((day, token, model), Sums()).add(sums)

    @property
    def tokens(self) -> set[str]:
        """The tokens of the keys that were used, except the master key."""
        return {token for _day, token, _model in self.sums} - {"", MASTER_KEY}


# --------------------------------------------------------------------------------------------------------------- keys
@dataclass(frozen=True)
class KeyIdentity:
    """The lab, user, owner, team and package of a key. Anything unknown is ''."""

    token: str
    alias: str = ""
    lab: str = ""
    guid: str = ""
    user: str = ""
    owner: str = ""
    team: str = ""
    package: str = ""
    deleted: bool = False

    @classmethod
    def of_row(cls, row: LiveKey, *, deleted: bool) -> KeyIdentity:
        """Return the notes on a key in LiteLLM's list of keys, or of deleted keys."""
        notes = row.notes
        named = lab_of_alias(row.served_alias)
        guid = row.guid
        lab = (notes.lab if notes else "") or (ALIAS_PREFIX + guid if guid else named[0])
        return cls(
            token=row.token,
            alias=row.served_alias,
            lab=lab,
            guid=guid or (lab.removeprefix(ALIAS_PREFIX) if lab.startswith(ALIAS_PREFIX) else ""),
            user=(notes.user if notes else "") or (named[1] if named[0] == lab else ""),
            owner=row.owner or str(row.fields.get("user_id") or ""),
            team=str(row.fields.get("team_id") or ""),
            package=notes.package if notes else "",
            deleted=deleted,
        )

    @classmethod
    def from_metadata(cls, token: str, metadata: Mapping[str, Any]) -> KeyIdentity:
        """Return the notes on a key of which LiteLLM has only the metadata of its usage, as after a deletion from the database."""
        if token in ("", MASTER_KEY):
            return cls(token=token, alias="master key" if token else "")
        alias = str(metadata.get("key_alias") or "")
        lab, user = lab_of_alias(alias)
        return cls(
            token=token,
            alias=alias,
            lab=lab,
            guid=lab.removeprefix(ALIAS_PREFIX),
            user=user,
            owner=str(metadata.get("user_id") or ""),
            team=str(metadata.get("team_id") or ""),
            deleted=True,
        )

    def to_result(self) -> dict[str, Any]:
        return {
            "key": self.alias,
            "key_id": self.token,
            "lab": self.lab,
            "user": self.user,
            "owner": self.owner,
            "team": self.team,
            "package": self.package,
            "deleted": self.deleted,
        }


# ------------------------------------------------------------------------------------------------------------- tables
def parse_tables(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the dimensions of each table by its name: `lab`, or several as in `day+model`. Raises ValueError."""
    found = {}
    for name in names:
        parts = tuple(name.split("+"))
        unknown = [part for part in parts if part not in DIMENSIONS]
        if unknown or len(set(parts)) < len(parts):
            wrong = f"unknown dimension {unknown[0]!r} in by" if unknown else f"by holds {name!r}, which names a dimension twice"
            raise ValueError(f"{wrong}; choose from {', '.join(DIMENSIONS)} (combine with +, as in day+model).")
        found[name] = parts
    return found


def usage_table(book: Book, notes: Mapping[str, KeyIdentity], by: Sequence[str], kept: Callable[[KeyIdentity, str], bool]) -> list[dict[str, Any]]:
    """Return one row for each combination of the dimensions in `by`, for the keys and models that `kept` accepts.

    Rows are ordered by day if `by` begins with it, otherwise by cost, the highest first. The row of a key includes its
    notes. Names are made safe to show, because anyone with a key can ask for a model of any name.
    """
    rows: dict[tuple[str, ...], Sums] = {}
    for (day, token, model), sums in book.sums.items():
        key = notes[token]
        if kept(key, model):
            labels = {"day": day, "key": token, "model": model}
            name = tuple(labels[part] if part in labels else getattr(key, part) for part in by)
            rows.setdefault(name, Sums()).add(sums)
    found = [_row(dict(zip(by, name, strict=True)), sums, notes) for name, sums in rows.items()]
    found.sort(key=lambda row: (row["day"] if by[0] == "day" else "", -row["cost"], -row["requests"], *(row[part] for part in by)))
    return found


def _row(labels: Mapping[str, str], sums: Sums, notes: Mapping[str, KeyIdentity]) -> dict[str, Any]:
    more = notes[labels["key"]].to_result() if "key" in labels else {}
    shown = {name: printable(value) if isinstance(value, str) else value for name, value in {**labels, **more}.items()}
    return {**shown, **sums.to_result()}


def total(book: Book, notes: Mapping[str, KeyIdentity], kept: Callable[[KeyIdentity, str], bool]) -> Sums:
    """Return the sum of everything that `kept` accepts."""
    result = Sums()
    for (_day, token, model), sums in book.sums.items():
        if kept(notes[token], model):
            result.add(sums)
    return result


# ------------------------------------------------------------------------------------------------------------- budgets
def near_budget(rows: Iterable[LiveKey], percent: float, now: datetime) -> list[dict[str, Any]]:
    """Return the usable keys that have spent at least `percent` of their budget, the nearest to it first. LiteLLM resets `spend` with the budget."""
    found = []
    for row in rows:
        budget = row.fields.get("max_budget")
        if budget is None or row.expired(now) or row.fields.get("blocked"):
            continue
        used = 100.0 * row.spend / budget if budget > 0 else 100.0
        if used >= percent:
            notes = KeyIdentity.of_row(row, deleted=False).to_result()
            ends = durations.iso(row.expires) if row.expires else None
            del notes["deleted"]
            more = {"spend": row.spend, "max_budget": budget, "percent": round(used, 1), "budget_duration": row.fields.get("budget_duration"), "expires": ends}
            found.append({**notes, **more})
    return sorted(found, key=lambda key: (-key["percent"], key["key"]))
