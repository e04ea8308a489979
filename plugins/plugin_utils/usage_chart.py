# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The geometry of a usage chart's columns. Pure, no I/O. Colours, texts and all other looks belong to the template.

Lengths are in the units of an SVG whose plot is `WIDTH` by `HEIGHT` with its origin at the upper left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

WIDTH, HEIGHT = 900.0, 240.0
SERIES = 5
OTHERS = "others"
TICKS = 5
LABELS = 10  # about this many dates are shown below the columns
DAILY, WEEKLY = 92, 730  # a column is a day for up to DAILY days, a week for up to WEEKLY days, and a month for more


def columns(rows: Sequence[Mapping[str, Any]], since: date, until: date, series: str, measure: str) -> dict[str, Any]:
    """Return columns over time, with the largest series and the others stacked, for rows with `day`, `series` and `measure`.

    The result has `width`, `height`, `span` (`day`, `week` or `month`), `names` of the series, the largest first, `ticks`
    with `y` and `value`, and `columns`, each with `x`, `width`, `first`, `last`, `total`, `labelled` and `parts`; a part has
    `name`, `number` of its series, `value`, `y`, `height`.
    """
    span = "day" if (until - since).days < DAILY else "week" if (until - since).days < WEEKLY else "month"
    names = _largest(rows, series, measure)
    starts = _starts(since, until, span)
    values: dict[date, dict[str, float]] = {start: {} for start in starts}
    for row in rows:
        found = values[_start(date.fromisoformat(row["day"]), since, span)]
        name = row[series] if row[series] in names else OTHERS
        found[name] = found.get(name, 0.0) + float(row[measure])
    top = max((sum(parts.values()) for parts in values.values()), default=0.0)
    ticks = _ticks(top)
    scale = HEIGHT / ticks[-1]
    step = WIDTH / len(starts)
    every = math.ceil(len(starts) / LABELS)
    drawn = []
    for number, start in enumerate(starts):
        following = starts[number + 1] if number + 1 < len(starts) else until + timedelta(days=1)
        drawn.append(
            {
                "x": round(number * step + step * 0.1, 2),
                "width": round(step * 0.8, 2),
                "first": start.isoformat(),
                "last": (following - timedelta(days=1)).isoformat(),
                "total": sum(values[start].values()),
                "labelled": number % every == 0,
                "parts": _stacked(values[start], names, scale),
            }
        )
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "span": span,
        "names": names,
        "ticks": [{"value": tick, "y": round(HEIGHT - tick * scale, 2)} for tick in ticks],
        "columns": drawn,
    }


def _largest(rows: Sequence[Mapping[str, Any]], series: str, measure: str) -> list[str]:
    """Return the names of the largest series; the last is `OTHERS` if there are more of them."""
    totals: dict[str, float] = {}
    for row in rows:
        totals[row[series]] = totals.get(row[series], 0.0) + float(row[measure])
    ordered = sorted(totals, key=lambda name: (-totals[name], name))
    return ordered if len(ordered) <= SERIES + 1 else [*ordered[:SERIES], OTHERS]


def _stacked(values: Mapping[str, float], names: Sequence[str], scale: float) -> list[dict[str, Any]]:
    """Return the parts of one column, the largest series at the bottom."""
    parts = []
    bottom = HEIGHT
    for number, name in enumerate(names):
        height = values.get(name, 0.0) * scale
        if height > 0:
            bottom -= height
            parts.append({"name": name, "number": number, "value": values[name], "y": round(bottom, 2), "height": round(height, 2)})
    return parts


def _ticks(top: float) -> list[float]:
    """Return round values from 0 to the first that is at least `top`: about `TICKS` steps of 1, 2 or 5 times a power of ten."""
    if top <= 0:
        return [0.0, 1.0]
    rough = top / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [round(number * step, 12) for number in range(math.ceil(top / step - 1e-9) + 1)]


def _start(day: date, since: date, span: str) -> date:
    """Return the first day of the column that `day` is in. Weeks are counted from `since`, months are those of the calendar."""
    if span == "day":
        return day
    if span == "week":
        return day - timedelta(days=(day - since).days % 7)
    return max(since, day.replace(day=1))


def _starts(since: date, until: date, span: str) -> list[date]:
    everyday = (since + timedelta(days=number) for number in range((until - since).days + 1))
    return list(dict.fromkeys(_start(day, since, span) for day in everyday))
