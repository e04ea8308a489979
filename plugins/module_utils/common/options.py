# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Read the arguments of modules and actions strictly: one sentence for each that ansible-core would end with a traceback or a type error, or turn
into something that nobody meant.

ansible-core converts `inf` to a whole number with an OverflowError, a mapping or `true` to text, and the text `{}` to a list with an
empty mapping; of `1.5` for a whole number it says that `"'1.5'" cannot be converted to an int`. Surveys, extra variables and YAML produce
all of these.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common import validation
from ansible.module_utils.errors import AnsibleFallbackNotFound

from .printable import quoted

_LONGEST_NUMBER = 40  # characters; ansible-core would compute all digits of 1e9999999
_WANTED = {
    "str": "text",
    "path": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
}


class StrictModule(AnsibleModule):  # type: ignore[misc]
    """The class of all modules of the collection: it answers arguments that cannot be used with one sentence, and null is not given."""

    params: dict[str, Any]

    def __init__(self, **arguments: Any) -> None:
        self._refusal, self._is_ready = "", False
        super().__init__(**arguments)
        if self._refusal:
            self.fail_json(msg=self._refusal)
        self._is_ready = True

    def _load_params(self) -> None:
        """Load the arguments without those that are refused. The module fails once the others have shown what must not be printed."""
        super()._load_params()
        self.params, refusals = usable_arguments(self.argument_spec, self.params)
        self._refusal = next(iter(refusals), "")

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        """End the module. What was refused explains whatever else is missing, and what ansible-core refuses has the code of bad input, too."""
        if not self._is_ready:
            msg, result = self._refusal or msg, {"code": "bad_input", "changed": False, **result}
        super().fail_json(msg, **result)
        raise AssertionError("fail_json does not return")


def filled_env_fallback(*names: str) -> str:
    """Return the first of these environment variables that is not empty. Raises AnsibleFallbackNotFound.

    AWX sets a variable to nothing for a field of a credential that is not filled in, which `env_fallback` of ansible-core takes for a value.
    """
    found = next(filter(None, map(os.environ.get, names)), None)
    if found is None:
        raise AnsibleFallbackNotFound
    return found


def usable_arguments(spec: Mapping[str, Mapping[str, Any]], arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return those `arguments`, for the options of `spec`, that can be used, and a sentence about each of the others.

    An argument that is null counts as not given; ansible-core would convert it if the option is required or has a default.
    """
    refusals: list[str] = []
    return _usable(spec, arguments, "", refusals), refusals


def _usable(spec: Mapping[str, Mapping[str, Any]], arguments: Mapping[str, Any], path: str, refusals: list[str]) -> dict[str, Any]:
    rules_of = {name: rules for option, rules in spec.items() for name in (option, *rules.get("aliases", ()))}
    usable: dict[str, Any] = {}
    for name, value in arguments.items():
        rules = rules_of.get(name)
        refusal = _refusal(rules, value, path + name) if rules is not None else ""
        if refusal:
            refusals.append(refusal)
        elif rules is None:
            usable[name] = value
        elif value is not None:
            usable[name] = _with_usable_suboptions(rules, value, path + name, refusals)
    return usable


def _with_usable_suboptions(rules: Mapping[str, Any], value: Any, path: str, refusals: list[str]) -> Any:
    spec = rules.get("options")
    if not spec:
        return value
    if isinstance(value, list):
        return [_usable(spec, each, f"{path}[{number}].", refusals) for number, each in enumerate(value)]
    return _usable(spec, validation.check_type_dict(value), f"{path}.", refusals)


def _refusal(rules: Mapping[str, Any], value: Any, path: str) -> str:
    """Return a sentence about an argument that cannot be used, or ''. What ansible-core itself refuses well is left to it."""
    if value is None:
        # A state or another choice that is empty by mistake must not turn into the default.
        return f"{path} is empty; give one of {', '.join(rules['choices'])}, or leave it out." if "choices" in rules and "default" in rules else ""
    kind, hidden = rules.get("type", "str"), bool(rules.get("no_log"))
    refusal = _refusal_of_value(kind, value, path, hidden=hidden)
    if kind == "list" and not refusal:
        of, elements = rules.get("elements", "raw"), value if isinstance(value, list) else [value]
        each = (_refusal_of_value(of, element, f"{path}[{number}]", hidden=hidden, in_list=True) for number, element in enumerate(elements))
        refusal = next(filter(None, each), "")
    if not refusal and kind == "str" and "choices" in rules and value not in rules["choices"]:
        return f"{path} is {_named(value, hidden=hidden)}; give one of {', '.join(rules['choices'])}."
    return refusal


def _refusal_of_value(kind: str, value: Any, path: str, *, hidden: bool, in_list: bool = False) -> str:
    """Return a sentence if `value` cannot be of the type `kind`, or ''. A `hidden` one is not quoted, and neither is a text for a mapping."""
    if kind in ("str", "path") and isinstance(value, bool):
        return f"{path} is {str(value).lower()}, which YAML also reads from words such as yes, no, on and off; give text, in quotes."
    if kind in ("str", "path") and isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        return f"{path} holds half of a surrogate pair, which is not a character; remove it."
    if kind == "path" and isinstance(value, str) and "\0" in value:
        return f"{path} holds the character NUL, which no path has; remove it."
    if _fits(kind, value, in_list=in_list):
        return ""
    return f"{path} is {_named(value, hidden=hidden or kind == 'dict')}; give {_WANTED[kind]}."


def _fits(kind: str, value: Any, *, in_list: bool) -> bool:
    """Return whether `value` can be of the type `kind`."""
    if kind in ("str", "path"):
        return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
    if kind in ("int", "float"):
        return _is_number(value) and _converts(kind, value)
    if kind == "bool":
        return _converts(kind, value)
    if kind == "dict":
        return isinstance(value, Mapping) or (isinstance(value, str) and not in_list and _converts(kind, value))
    if kind == "list":
        return isinstance(value, list | tuple | str | int | float) and not isinstance(value, bool)
    return True


def _converts(kind: str, value: Any) -> bool:
    """Return whether ansible-core converts `value` to the type `kind`."""
    convert = {
        "int": validation.check_type_int,
        "float": validation.check_type_float,
        "bool": validation.check_type_bool,
        "dict": validation.check_type_dict,
    }[kind]
    try:
        convert(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or len(str(value)) > _LONGEST_NUMBER:
        return False
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _named(value: Any, *, hidden: bool) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if hidden:
        return "a text" if isinstance(value, str) else "a number"
    if isinstance(value, str):
        return f"the text {quoted(value, _LONGEST_NUMBER)}"
    return str(value)[:_LONGEST_NUMBER]
