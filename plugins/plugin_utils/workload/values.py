# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Variables as surveys, extra vars and YAML write them, read as what a role needs. Pure.

A survey passes numbers and lists as text and an empty answer as an empty text, `--extra-vars name=value` passes text only, and
YAML turns `12e45` into a number and `yes` into a truth value. Each function here takes such a value and the variable's `name`,
and returns the value in the type that is wanted; None and an empty text are "not given". Each raises ValueError with one
sentence that begins with `name` if the value cannot be used. No error shows a value that is not short, plain text.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from ...module_utils.common import durations
from ...module_utils.common.printable import printable

_TRUE = frozenset(("true", "yes", "on", "y", "t", "1"))
_FALSE = frozenset(("false", "no", "off", "n", "f", "0"))
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(\.0{1,6})?")
_KINDS = ((bool, "a truth value"), (str, "a text"), ((int, float), "a number"), (Mapping, "a mapping"), (Sequence, "a list"))


def is_given(value: Any) -> bool:
    """Return whether `value` is anything but None and a text of blanks."""
    return value is not None and not (isinstance(value, str) and not value.strip())


def kind_of(value: Any) -> str:
    """Return what `value` is in words, such as `a list`."""
    return next((words for kind, words in _KINDS if isinstance(value, kind)), f"a {type(value).__name__}")


def text(value: Any, name: str) -> str:
    """Return a text as it was written; a whole number and a date count as their text. Empty if not given."""
    if value is None:
        return ""
    if isinstance(value, (bool, float)):  # not shown, for it may be a part of a secret, and is not what was written
        raise ValueError(f"{name} was read as {kind_of(value)}; put it in quotes.")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if not isinstance(value, (str, int)):
        raise ValueError(f"{name} is {kind_of(value)}; give a text.")
    return str(value)


def choice(value: Any, name: str, choices: Sequence[str]) -> str:
    """Return one of `choices`; the first if not given."""
    given = text(value, name).strip()
    if given and given not in choices:
        raise ValueError(f"{name} is {as_typed(given)}; it must be one of {', '.join(choices)}.")
    return given or choices[0]


def flag(value: Any, name: str, default: bool) -> bool:
    """Return a truth value; `default` if not given."""
    if not is_given(value):
        return default
    if isinstance(value, (bool, int, str)):
        word = str(value).strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    raise ValueError(f"{name} is {as_typed(value)}; give true or false.")


def whole_number(value: Any, name: str, least: int, most: int) -> int | None:
    """Return a whole number from `least` to `most`; None if not given."""
    if not is_given(value):
        return None
    written = str(value).strip()
    if not isinstance(value, (str, int, float)) or isinstance(value, bool) or not _WHOLE.fullmatch(written):
        raise ValueError(f"{name} is {as_typed(value)}; give a whole number from {least} to {most}.")
    number = int(written.partition(".")[0])
    if not least <= number <= most:
        raise ValueError(f"{name} is {as_typed(value)}; give a whole number from {least} to {most}.")
    return number


def number(value: Any, name: str, least: float, most: float, unit: str = "") -> float | None:
    """Return a number from `least` to `most`; None if not given."""
    if not is_given(value):
        return None
    try:
        found = math.nan if isinstance(value, bool) or "_" in str(value) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not least <= found <= most:  # also not a number
        raise ValueError(f"{name} is {as_typed(value)}; give a number{unit and f' of {unit}'} from {least:g} to {most:g}.")
    return found


def duration(value: Any, name: str, *, never: bool = False, least: int = 1) -> str:
    """Return a lifetime such as `30d`; with `never`, that word too. Empty if not given."""
    given = text(value, name).strip()
    if given and not (never and given == "never") and not (least == 0 and given == "0"):
        durations.seconds(given, name, least=least)
    return given


def text_list(value: Any, name: str) -> list[str] | None:
    """Return a list of texts; None if not given. A text is read as JSON or YAML if it is a list in brackets, else divided at commas."""
    if not is_given(value):
        return None
    if isinstance(value, str):
        written = value.strip()
        value = _structure(written, name, "a list") if written.startswith("[") else written.split(",")
        if all(isinstance(entry, str) for entry in value):
            value = [entry.strip() for entry in value if entry.strip()]
    if isinstance(value, (bytes, Mapping)) or not isinstance(value, Sequence):
        raise ValueError(f"{name} is {kind_of(value)}; give a list of texts.")
    found = [text(entry, f"{name}[{place}]").strip() for place, entry in enumerate(value)]
    if not all(found):
        raise ValueError(f"{name}[{found.index('')}] is empty; take it out of the list.")
    return found


def messages(value: Any, name: str) -> list[str]:
    """Return a list of messages; a text is one message. Empty if not given."""
    if not is_given(value):
        return []
    return [text(value, name)] if not isinstance(value, Sequence) or isinstance(value, str) else text_list(value, name) or []


def mapping(value: Any, name: str) -> dict[str, Any] | None:
    """Return a mapping; None if not given. A text is read as JSON or YAML if it is a mapping in braces."""
    if not is_given(value):
        return None
    if isinstance(value, str) and value.strip().startswith("{"):
        value = _structure(value.strip(), name, "a mapping")
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is {kind_of(value)}; give a mapping of names to values.")
    return {text(key, f"a name in {name}"): entry for key, entry in value.items()}


def _structure(written: str, name: str, wanted: str) -> Any:
    try:
        return yaml.safe_load(written)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ValueError(f"{name} is a text that begins like {wanted}, but is neither JSON nor YAML; correct it.") from None


def as_typed(value: Any) -> str:
    """Return a value as an error shows it: short text and numbers as they are, anything else by its kind."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{printable(str(value), 100)}'" if isinstance(value, (str, int, float)) else kind_of(value)
