# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.usage_chart import HEIGHT, LABELS, WIDTH, columns


def row(day: str, model: str, cost: float) -> dict[str, Any]:
    return {"day": day, "model": model, "cost": cost}


def drawn(rows: list[dict[str, Any]], since: str, until: str) -> dict[str, Any]:
    return columns(rows, date.fromisoformat(since), date.fromisoformat(until), "model", "cost")


def test_columns_stand_on_the_ground_and_are_stacked() -> None:
    chart = drawn([row("2026-11-01", "a", 3.0), row("2026-11-01", "b", 1.0), row("2026-11-03", "b", 4.0)], "2026-11-01", "2026-11-03")
    assert chart["names"] == ["b", "a"], "the largest comes first"
    first, second, third = chart["columns"]
    assert [part["name"] for part in first["parts"]] == ["b", "a"]
    assert first["parts"][0]["y"] + first["parts"][0]["height"] == pytest.approx(HEIGHT)
    assert first["parts"][1]["y"] + first["parts"][1]["height"] == pytest.approx(first["parts"][0]["y"])
    assert second["parts"] == [] and second["total"] == 0, "a day without use has its place"
    assert third["parts"][0]["height"] == pytest.approx(HEIGHT), "4 is a tick, so the column reaches the top"
    assert 0 < first["x"] < first["x"] + first["width"] < second["x"] < third["x"] + third["width"] < WIDTH
    assert chart["ticks"][0] == {"value": 0.0, "y": HEIGHT} and chart["ticks"][-1] == {"value": 4.0, "y": 0.0}


@pytest.mark.parametrize(
    ("top", "ticks"),
    [
        (4.0, [0, 1, 2, 3, 4]),
        (4.1, [0, 1, 2, 3, 4, 5]),
        (0.0021, [0, 0.0005, 0.001, 0.0015, 0.002, 0.0025]),
        (130.0, [0, 50, 100, 150]),
        (1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.0, [0, 1]),
    ],
)
def test_ticks_are_round(top: float, ticks: list[float]) -> None:
    chart = drawn([row("2026-11-01", "a", top)], "2026-11-01", "2026-11-01")
    assert [tick["value"] for tick in chart["ticks"]] == pytest.approx(ticks)


def test_more_than_six_models_are_five_and_the_others() -> None:
    rows = [row("2026-11-01", f"m{number}", number) for number in range(1, 9)]
    chart = drawn(rows, "2026-11-01", "2026-11-01")
    assert chart["names"] == ["m8", "m7", "m6", "m5", "m4", "others"]
    assert chart["columns"][0]["parts"][-1]["value"] == 1 + 2 + 3
    assert drawn(rows[:6], "2026-11-01", "2026-11-01")["names"] == ["m6", "m5", "m4", "m3", "m2", "m1"]


@pytest.mark.parametrize(("number", "span"), [(1, "day"), (92, "day"), (93, "week"), (730, "week"), (731, "month"), (3650, "month")])
def test_long_ranges_have_weeks_or_months(number: int, span: str) -> None:
    since = date(2026, 1, 15)
    until = since + timedelta(days=number - 1)
    every = [row((since + timedelta(days=day)).isoformat(), "a", 1.0) for day in range(number)]
    chart = drawn(every, since.isoformat(), until.isoformat())
    assert chart["span"] == span
    assert sum(column["total"] for column in chart["columns"]) == number
    assert chart["columns"][0]["first"] == since.isoformat() and chart["columns"][-1]["last"] == until.isoformat()
    for before, after in zip(chart["columns"], chart["columns"][1:], strict=False):
        assert date.fromisoformat(after["first"]) == date.fromisoformat(before["last"]) + timedelta(days=1)
    assert sum(column["labelled"] for column in chart["columns"]) <= LABELS


def test_nothing_was_used() -> None:
    chart = drawn([], "2026-11-01", "2026-11-30")
    assert chart["names"] == [] and len(chart["columns"]) == 30
