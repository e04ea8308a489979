# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The results of a case, which are tables, bars and curves, and how they are printed and stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Table

Scale = Literal["linear", "log", "symlog"]


@dataclasses.dataclass(frozen=True)
class Bar:
    """A promise, and what this run measured of it."""

    what: str
    limit: str
    measured: str
    met: bool


@dataclasses.dataclass(frozen=True)
class Chart:
    """Curves, each with its name and its points (x, y). `file` is the name of the SVG file without its ending."""

    file: str
    title: str
    x_label: str
    y_label: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"


@dataclasses.dataclass(frozen=True)
class Result:
    """The results of a case. `bars` and `charts` hold only those for which this run has measurements."""

    tables: Sequence[Table]
    bars: Sequence[Bar] = ()
    charts: Sequence[Chart] = ()

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def bar_table(bars: Sequence[Bar]) -> Table:
    return Table(
        "The bars",
        ["", "what", "bar", "measured"],
        [["ok" if each.met else "MISSED", each.what, each.limit, each.measured] for each in bars],
    )
