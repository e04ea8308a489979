# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The context that a task gives to the rules: the time, the live keys, and Ansible's templating for conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from jinja2 import Environment, TemplateSyntaxError

from ...module_utils.common import durations
from ...module_utils.common.printable import printable
from .rule import Context
from .tally import check_usage

try:
    from ansible.template import is_trusted_as_template, trust_as_template  # ansible-core 2.19 and later
except ImportError:
    from ansible.utils.unsafe_proxy import AnsibleUnsafe, wrap_var

    def trust_as_template(value: str) -> str:
        return value

    def is_trusted_as_template(value: object) -> bool:
        return not isinstance(value, AnsibleUnsafe)

    def as_data(value: Any) -> Any:
        """Return `value` with its texts as data, which is never templated."""
        return wrap_var(value)
else:

    def as_data(value: Any) -> Any:
        """Return `value` with its texts as data, which is never templated."""
        # New text is untrusted, even if the task's own text was trusted.
        return json.loads(json.dumps(value, default=str))


_TEMPLATE = "{% set holds = (CONDITION) %}{{ 'true' if holds is true else 'false' if holds is false else 'neither' }}"


class Conditions:
    """Evaluates conditions like `when`; a result that is neither true nor false is an error."""

    def __init__(self, loader: DataLoader) -> None:
        self._templar = Templar(loader=loader, variables={})

    def check(self, condition: str) -> str | None:
        """Return the fault of a condition that shows before any request is known, or None."""
        if "{{" in condition or "{%" in condition:
            return "it is a condition already, so write it without {{ and {%"
        if not is_trusted_as_template(condition):
            return (
                "it comes out of a template or from data that Ansible does not trust, such as a looked-up file;"
                " write it as plain text in the playbook, the inventory or a file of variables"
            )
        try:
            Environment().parse(_TEMPLATE.replace("CONDITION", condition))  # noqa: S701 - nothing is rendered
        except TemplateSyntaxError as error:
            return printable(f"{error.message}", 200)
        return None

    def evaluate(self, condition: str, variables: Mapping[str, Any]) -> bool:
        """Return whether a checked condition is true. Raises ValueError with Ansible's message if it cannot be evaluated."""
        self._templar.available_variables = {name: as_data(value) for name, value in variables.items()}
        try:
            result = self._templar.template(trust_as_template(_TEMPLATE.replace("CONDITION", condition)))
        except AnsibleError as error:
            raise ValueError(printable(str(error), 300)) from None
        if result in ("true", True):
            return True
        if result in ("false", False):
            return False
        raise ValueError("its result is neither true nor false")


def build(loader: DataLoader, *, now: str | None = None, usage: Sequence[Any] | None = None) -> Context:
    """Return the context of a task. `now` is an ISO 8601 time, by default the present. Raises ValueError, one sentence."""
    conditions = Conditions(loader)
    for index, row in enumerate(usage or ()):
        wrong = check_usage(row)
        if wrong:
            raise ValueError(f"usage[{index}] {wrong}; give the owner, domain, package and alias of a live key.")
    return Context(
        now=durations.parse_time(now, "now") if now else datetime.now(UTC),
        evaluate=conditions.evaluate,
        check_condition=conditions.check,
        usage=usage,
    )
