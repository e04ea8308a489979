# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Curves as SVG files, drawn by matplotlib. The same figures always give the same bytes."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.results import Chart
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

SIZE = (7.2, 4.0)
MARKERS = "osD^vP"
STYLE = {"svg.hashsalt": "make bench", "svg.fonttype": "none", "font.family": "sans-serif", "axes.spines.top": False, "axes.spines.right": False}


def draw(chart: Chart, path: Path) -> None:
    """Write the chart as an SVG file whose letters are text."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        for (name, points), marker in zip(chart.series.items(), MARKERS, strict=False):
            axes.plot(*zip(*points, strict=True), marker=marker, markersize=4, linewidth=1.4, label=name)
        scale = {"symlog": {"linthresh": 100}}
        axes.set_xscale(chart.x_scale, **scale.get(chart.x_scale, {}))
        axes.set_yscale(chart.y_scale, **scale.get(chart.y_scale, {}))
        ticks = sorted({x for points in chart.series.values() for x, _y in points})
        axes.set_xticks(ticks, minor=False)
        axes.set_xticks([], minor=True)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:,g}"))
        if chart.y_scale == "linear":
            axes.set_ylim(bottom=0)
        axes.set(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label)
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
        axes.legend(frameon=False, fontsize="small")
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")
