# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: from a table of usage to a name for each of its rows."""

from __future__ import annotations

DOCUMENTATION = r"""
name: usage_names
short_description: A name for each row of a table of usage
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Names each row of a table of M(rhpds.litellm_virtual_keys.usage_info) for what it stands for, such as a lab, or a day and a model.
options:
  _input:
    description: The rows of the table.
    type: list
    elements: dict
    required: true
  by:
    description: What the table groups by, for example V(day+lab).
    type: str
    required: true
  nobody:
    description: The name of what is empty, for example of the usage that belongs to no lab.
    type: str
    default: '-'
seealso:
  - module: rhpds.litellm_virtual_keys.usage_info
"""

EXAMPLES = r"""
- name: Show which labs used the gateway
  ansible.builtin.debug:
    msg: "{{ found.usage['lab'] | rhpds.litellm_virtual_keys.usage_names('lab', '(no lab)') }}"
"""

RETURN = r"""
_value:
  description: The names, in the order of the rows.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def usage_names(rows: Sequence[Mapping[str, Any]], by: str, nobody: str = "-") -> list[str]:
    """Return the values of the columns that `by` names, joined by blanks, for each row. Raises AnsibleFilterError for a column that is missing."""
    columns = by.split("+")
    try:
        return [" ".join(str(row[column] or nobody) for column in columns) for row in rows]
    except KeyError as error:
        raise AnsibleFilterError(f"usage_names: the rows have no column {error}; give in by what the table groups by.") from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"usage_names": usage_names}
