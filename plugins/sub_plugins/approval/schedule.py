# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`schedule`: let requests pass only in weekly time windows, and never on blackout dates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from ...module_utils.common.printable import quoted
from ...plugin_utils.approval.rule import ApprovalRule, Context, Decision, OptionError, Request, Verdict
from ...plugin_utils.approval.sentences import Sentence, sentence

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")
_MIDNIGHT = 24 * 60


@dataclass(frozen=True)
class _Window:
    """A weekly window; `start` and `end` are minutes after midnight."""

    days: frozenset[int]
    start: int
    end: int
    text: str

    def holds(self, weekday: int, minute: int) -> bool:
        if self.start < self.end:
            return weekday in self.days and self.start <= minute < self.end
        return (weekday in self.days and minute >= self.start) or ((weekday - 1) % 7 in self.days and minute < self.end)


class Rule(ApprovalRule):
    OPTIONS = {
        "timezone": {"type": "str", "default": "UTC", "description": "An IANA name, such as ``Europe/Berlin``."},
        "windows": {
            "type": "list",
            "elements": "dict",
            "description": "When requests pass. Left out: at any time. Write times in quotes.",
            "options": {
                "days": {"type": "list", "elements": "str", "description": "``mon`` to ``sun``, or ranges such as ``mon-fri``. Left out: every day."},
                "from": {"type": "str", "default": "00:00", "description": "Start of the window."},
                "to": {"type": "str", "default": "24:00", "description": "End of the window. One that is not after ``from`` is on the next day."},
            },
        },
        "blackout": {"type": "list", "elements": "str", "default": [], "description": "Dates, or ranges with a slash between two dates, both within."},
        "outside": {
            "type": "str",
            "choices": ["deny", "review", "pending", "continue"],
            "default": "pending",
            "description": "What happens outside of the windows and on blackout dates; ``pending`` waits for the next pass within.",
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        if options["windows"] is None and not options["blackout"]:
            raise OptionError("windows", "is missing, and so is blackout; give at least one of them")
        if options["windows"] == []:
            raise OptionError("windows", "is an empty list, which would be at no time; leave it out to mean at any time")
        self._zone = _zone(options["timezone"])
        self._windows = [_window(index, window) for index, window in enumerate(options["windows"] or [])]
        self._blackout = [_dates(text) for text in options["blackout"]]

    def evaluate(self, request: Request, context: Context) -> Verdict:
        local = context.now.astimezone(self._zone)
        moment = {"weekday": f"{local:%a}", "time": f"{local:%Y-%m-%d %H:%M}", "timezone": self.options["timezone"]}
        for first, last, text in self._blackout:
            if first <= local.date() <= last:
                return self._outside(sentence("blackout", **moment), text)
        if not self._windows:
            return Verdict(Decision.CONTINUE, said=sentence("no_blackout", **moment))
        for window in self._windows:
            if window.holds(local.weekday(), 60 * local.hour + local.minute):
                return Verdict(Decision.CONTINUE, said=sentence("in_window", **moment), matched=window.text)
        return self._outside(sentence("out_of_windows", **moment), None)

    def _outside(self, said: Sentence, matched: str | None) -> Verdict:
        decision = Decision.from_word(self.options["outside"])
        reason = "No keys are given out at this time." if decision is Decision.DENY else ""
        return Verdict(decision, said=said, reason=reason, matched=matched)

    def outcomes(self) -> frozenset[Decision]:
        return frozenset((Decision.CONTINUE, Decision.from_word(self.options["outside"])))


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # needs no time zone data
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        reason = f"is {quoted(name)}, which this machine does not know; give an IANA name such as Europe/Berlin, or install tzdata"
        raise OptionError("timezone", reason) from None


def _window(index: int, window: Mapping[str, Any]) -> _Window:
    days = frozenset(_weekdays(index, window["days"])) if window["days"] is not None else frozenset(range(7))
    start, end = (_minutes(f"windows[{index}].{side}", window[side]) for side in ("from", "to"))
    if start == _MIDNIGHT:
        raise OptionError("windows", f"has windows[{index}].from '24:00'; write '00:00'")
    text = f"{','.join(_DAYS[day] for day in sorted(days))} {window['from']}-{window['to']}"
    return _Window(days, start, end, text)


def _weekdays(index: int, days: Iterable[str]) -> Iterable[int]:
    for text in days:
        first, dash, last = text.strip().lower().partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise OptionError("windows", f"has windows[{index}].days {text!r}; give mon to sun, or a range such as mon-fri")
        start = _DAYS.index(first)
        length = (_DAYS.index(last) - start) % 7 if dash else 0
        yield from ((start + step) % 7 for step in range(length + 1))


def _minutes(name: str, text: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None or (minutes := 60 * int(match[1]) + int(match[2])) > _MIDNIGHT:
        raise OptionError("windows", f"has {name} {text!r}, which is no time; write it in quotes as '08:00' (YAML reads 18:00 without quotes as 1080)")
    return minutes


def _dates(text: str) -> tuple[date, date, str]:
    first, slash, last = text.partition("/")
    try:
        start = datetime.strptime(first.strip(), "%Y-%m-%d").date()
        end = datetime.strptime(last.strip(), "%Y-%m-%d").date() if slash else start
    except ValueError:
        raise OptionError("blackout", f"holds {text!r}, which is no date; give '2026-12-24', or a range as '2026-12-24/2027-01-01'") from None
    if end < start:
        raise OptionError("blackout", f"holds {text!r}, which ends before it begins; turn it round")
    return start, end, text
