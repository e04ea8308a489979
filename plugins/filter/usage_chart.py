# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: the columns of a chart, from a table of usage."""

from __future__ import annotations

DOCUMENTATION = r"""
name: usage_chart
short_description: The columns of a chart of usage
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Turns a table of M(rhpds.litellm_virtual_keys.usage_info) that groups by day and something else, such as
    V(day+model), into columns over time, in which the five largest series and all others are stacked. A template draws
    them, like that of the report. A column is a day for up to 92 days, a week for up to two years, and a month for
    more.
options:
  _input:
    description: The rows of the table.
    type: list
    elements: dict
    required: true
  since:
    description: The first day.
    type: str
    required: true
  until:
    description: The last day.
    type: str
    required: true
  series:
    description: The dimension to stack by.
    type: str
    default: model
  measure:
    description: The figure to show, for example V(cost) or V(requests).
    type: str
    default: cost
seealso:
  - module: rhpds.litellm_virtual_keys.usage_info
"""

EXAMPLES = r"""
- name: Show the models that cost most
  ansible.builtin.debug:
    msg: "{{ chart.names }}"
  vars:
    chart: "{{ found.usage['day+model'] | rhpds.litellm_virtual_keys.usage_chart(since=found.since, until=found.until) }}"
"""

RETURN = r"""
_value:
  description:
    - C(width) and C(height) of the plot, C(span) (V(day), V(week) or V(month)), C(names) of the series, the largest
      first, C(ticks) with C(value) and C(y), and C(columns).
    - A column has C(x), C(width), the C(first) and C(last) day, C(total), whether it is C(labelled), and C(parts), each with
      C(name), C(number), C(value), C(y) and C(height).
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.usage_chart import columns


def usage_chart(rows: Sequence[Mapping[str, Any]], since: str, until: str, series: str = "model", measure: str = "cost") -> dict[str, Any]:
    try:
        return columns(rows, date.fromisoformat(since), date.fromisoformat(until), series, measure)
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"usage_chart: the rows, days or names do not fit together ({type(error).__name__}: {error}).") from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"usage_chart": usage_chart}
