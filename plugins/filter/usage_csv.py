# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: a table of usage as CSV."""

from __future__ import annotations

DOCUMENTATION = r"""
name: usage_csv
short_description: A table of usage as CSV
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Turns a table of M(rhpds.litellm_virtual_keys.usage_info) into CSV with a header line. Texts are quoted.
  - A text that a spreadsheet would take for a formula is prefixed with an apostrophe.
options:
  _input:
    description: The rows of the table.
    type: list
    elements: dict
    required: true
  by:
    description: The dimensions of the table, for example V(day+lab). They also name the columns of a table without rows.
    type: str
    required: true
seealso:
  - module: rhpds.litellm_virtual_keys.usage_info
"""

EXAMPLES = r"""
- name: Write the cost of each lab to a file
  ansible.builtin.copy:
    content: "{{ found.usage['lab'] | rhpds.litellm_virtual_keys.usage_csv('lab') }}"
    dest: labs.csv
    mode: "0600"
"""

RETURN = r"""
_value:
  description: The CSV.
  type: str
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.usage.tables import KeyIdentity, Sums

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def usage_csv(rows: Sequence[Mapping[str, Any]], by: str) -> str:
    parts = by.split("+")
    whose = [name for name in KeyIdentity("").to_result() if name not in parts] if "key" in parts else []
    columns = [*parts, *whose, *Sums().to_result()]
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(columns)
    try:
        writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"usage_csv: the rows do not have what by names ({type(error).__name__}: {error}).") from None
    return written.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(f"{value:.10f}")
    return f"'{value}" if value.startswith(FORMULA) else str(value)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"usage_csv": usage_csv}
