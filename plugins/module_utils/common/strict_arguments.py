# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Find arguments that ansible-core would end with a traceback, or turn into something that nobody meant. Pure, no I/O.

ansible-core converts `inf` to a whole number with an OverflowError, a mapping or `true` to text, and the text `{}` to a list with an
empty mapping. Surveys, extra variables and YAML produce all of these.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

_LONGEST_NUMBER = 40  # characters; ansible-core would compute all digits of 1e9999999


def refusals(spec: Mapping[str, Mapping[str, Any]], arguments: Any, path: str = "") -> Iterator[tuple[Any, str, str]]:
    """Yield, for each argument that cannot be used, the mapping that it is in, its name there and a sentence about it."""
    for option, rules in spec.items():
        for name in (option, *rules.get("aliases", ())):
            if isinstance(arguments, Mapping) and arguments.get(name) is not None:
                yield from _refusals(rules, arguments, name, path + name)


def _refusals(rules: Mapping[str, Any], holder: Any, name: str, path: str) -> Iterator[tuple[Any, str, str]]:
    value, kind = holder[name], rules.get("type", "str")
    refusal = _refusal_of(kind, value, path)
    if kind == "list" and not refusal:
        of = rules.get("elements", "raw")
        elements = value if isinstance(value, list) else [value]
        refusal = next((found for number, each in enumerate(elements) if (found := _refusal_of(of, each, f"{path}[{number}]", in_list=True))), "")
    if refusal:
        yield holder, name, refusal
    elif "options" in rules:
        for number, each in enumerate(value if isinstance(value, list) else [value]):
            yield from refusals(rules["options"], each, f"{path}[{number}]." if isinstance(value, list) else f"{path}.")


def _refusal_of(kind: str, value: Any, path: str, *, in_list: bool = False) -> str:
    """Return a sentence if `value` cannot be of the type `kind`, or ''. What ansible-core itself refuses well is left to it."""
    if kind in ("str", "path"):
        if isinstance(value, bool):
            return f"{path} is {str(value).lower()}, which YAML also reads from words such as yes, no, on and off; give text, in quotes."
        if isinstance(value, list | tuple | Mapping) or (value is None and in_list):
            return f"{path} is {_named(value)}; give text."
    if kind in ("int", "float") and not _is_number(value):
        return f"{path} is {_named(value)}; give a number."
    if kind == "dict" and not isinstance(value, Mapping) and (in_list or not isinstance(value, str)):
        return f"{path} is {_named(value)}; give a mapping."
    if kind == "list" and isinstance(value, bool | Mapping):
        return f"{path} is {_named(value)}; give a list."
    return ""


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or len(str(value)) > _LONGEST_NUMBER:
        return False
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _named(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {value[:_LONGEST_NUMBER]!r}"
    return str(value)[:_LONGEST_NUMBER]
