# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The action `approval`: decide requests for keys by a chain of rules. The module of that name documents it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.common.printable import printable
from ..plugin_utils.approval import context as contexts
from ..plugin_utils.approval import loader
from ..plugin_utils.approval.chain import Chain, ChainOutcome, not_in_check_mode
from ..plugin_utils.approval.decision import Decision
from ..plugin_utils.approval.request import request_or_refusal
from ..plugin_utils.task_arguments import checked_arguments

display = Display()

ARGUMENTS: dict[str, dict[str, Any]] = {
    "request": {"type": "raw"},
    "requests": {"type": "list", "elements": "raw"},
    "rules": {"type": "list", "elements": "raw", "required": True},
    "packages": {"type": "dict"},
    "models": {"type": "list", "elements": "str"},
    "usage": {"type": "list", "elements": "raw"},
    "now": {"type": "str"},
    "parallel": {"type": "int", "default": 8},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        either = [("request", "requests")]
        arguments = checked_arguments(self, ARGUMENTS, mutually_exclusive=either, required_one_of=either)
        try:
            context = contexts.build(self._loader, now=arguments["now"], usage=arguments["usage"])
            chain = Chain(
                loader.load_chain(arguments["rules"], context),
                parallel=arguments["parallel"],
                answers=not_in_check_mode if self._task.check_mode else None,
            )
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from None
        raw = arguments["requests"] if arguments["request"] is None else [arguments["request"]]
        outcomes = chain.decide([request_or_refusal(request, arguments["packages"], arguments["models"]) for request in raw], context)
        _warn_of_faults(outcomes)
        results = [_as_result(request, outcome) for request, outcome in zip(raw, outcomes, strict=True)]
        counts = Counter(answer["decision"] for answer in results)
        result.update(changed=False, results=results, summary={str(decision): counts[str(decision)] for decision in _FINAL})
        return result


_FINAL = (Decision.APPROVE, Decision.DENY, Decision.REVIEW, Decision.PENDING)


def _as_result(raw: object, outcome: ChainOutcome) -> dict[str, Any]:
    answer = outcome.as_dict()
    request = answer["request"]
    given = request or (raw if isinstance(raw, Mapping) else {})
    return {
        "request_id": _shown(given.get("request_id")),
        "email": _shown(given.get("email")),
        "models": request["models"] if request else [],
        "package": request["package"] if request else None,
        "valid": request is not None,
        **answer,
    }


def _shown(value: object) -> str:
    return printable(str(value), 254) if value is not None else ""


def _warn_of_faults(outcomes: list[ChainOutcome]) -> None:
    """Warn about the first fault of each rule, and show tracebacks at -vvv."""
    warned = set()
    for outcome in outcomes:
        for fault in outcome.faults:
            display.vvv(fault)
            link = outcome.decided_by
            if link and link.index not in warned:
                warned.add(link.index)
                display.warning(f"rules[{link.index}] ({link.name}): {outcome.trace[-1].detail}; the requests it failed on stay pending.")
