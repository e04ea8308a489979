# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Write the table of each approval rule's options into the guide approval_rules, from the rule's `OPTIONS`.

ansible-doc documents plugins of Ansible's own kinds only, so rules, which are sub-plugins, are documented by the guide alone. The
table of a rule follows the comment `.. Options of NAME, written by "make rule-options":` and ends at the next line of text.
`tests/unit/plugins/sub_plugins/test_approval_guide.py` fails when page and code differ.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst" / "approval_rules.rst"
RULES = "ansible_collections.rhpds.litellm_virtual_keys.plugins.sub_plugins.approval"

_TABLE = re.compile(r'^(\.\. Options of (\w+), written by "make rule-options":\n\n)(?:(?:\.\. list-table| ).*\n|\n)*', re.MULTILINE)


def page_with_tables(page: str) -> str:
    """Return the page with tables that match the current rules."""
    return _TABLE.sub(lambda found: f"{found[1]}{table(options_of(found[2]))}\n", page)


def rules_with_tables(page: str) -> list[str]:
    """Return the names of the rules whose tables are on the page."""
    return [found[2] for found in _TABLE.finditer(page)]


def options_of(rule: str) -> Mapping[str, Mapping[str, Any]]:
    options: Mapping[str, Mapping[str, Any]] = importlib.import_module(f"{RULES}.{rule}").Rule.OPTIONS
    return options


def table(options: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table of options, in reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for cells in [("Option", "Type", "Default", "Description"), *_rows(options)]:
        lines += [f"{'   * - ' if first else '     - '}{cell}".rstrip() for cell, first in zip(cells, (True, False, False, False), strict=True)]
    return "\n".join(lines) + "\n"


def _rows(options: Mapping[str, Mapping[str, Any]], parent: str = "") -> Iterator[tuple[str, str, str, str]]:
    for name, option in options.items():
        kind = f"list of {option['elements']}" if "elements" in option else option["type"]
        default = "required" if option.get("required") else _shown(option.get("default"))
        choices = f" One of {', '.join(_shown(choice) for choice in option['choices'])}." if "choices" in option else ""
        yield f"``{parent}{name}``", str(kind), default, option["description"] + choices
        yield from _rows(option.get("options", {}), f"{parent}{name}.")


def _shown(value: object) -> str:
    return "" if value in (None, [], {}) else f"``{str(value).lower() if isinstance(value, bool) else value}``"


def main() -> None:
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
