# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A table of figures, printed in columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

Cell = str | int | float | None


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of figures. The columns carry their units; None is a figure that does not exist."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def __str__(self) -> str:
        texts = [list(self.columns), *([_text(cell) for cell in row] for row in self.rows)]
        widths = [max(len(line[column]) for line in texts) for column in range(len(self.columns))]
        numeric = [not any(isinstance(row[column], str) for row in self.rows) for column in range(len(self.columns))]
        lines = [
            "  ".join(text.rjust(width) if right else text.ljust(width) for text, width, right in zip(line, widths, numeric, strict=True)).rstrip()
            for line in texts
        ]
        ruled = [self.title, "", lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
        return "\n".join([*ruled, "", self.note] if self.note else ruled)


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
