# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The action `policy_check`: lint and rehearse a chain of approval rules. The module of that name documents it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..plugin_utils.approval import context as contexts
from ..plugin_utils.approval import loader, rehearsal
from ..plugin_utils.approval.lint import ERROR, lint
from ..plugin_utils.requestor_config import read_config
from ..plugin_utils.task_arguments import checked_arguments

display = Display()

ARGUMENTS: dict[str, dict[str, Any]] = {
    "rules": {"type": "list", "elements": "raw"},
    "rules_file": {"type": "path"},
    "cases": {"type": "list", "elements": "raw"},
    "cases_file": {"type": "path"},
    "models": {"type": "list", "elements": "str", "default": []},
    "packages": {"type": "dict"},
    "usage": {"type": "list", "elements": "raw", "default": []},
    "answers": {"type": "raw"},
    "now": {"type": "str"},
    "strict": {"type": "bool", "default": False},
}


def _counted(things: list[Any], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        either = [("rules", "rules_file")]
        arguments = checked_arguments(self, ARGUMENTS, mutually_exclusive=[("cases", "cases_file"), *either], required_one_of=either)
        try:
            if arguments["rules_file"]:
                arguments["rules"] = contexts.as_data(read_config(arguments["rules_file"]).rules)
            context = contexts.build(self._loader, now=arguments["now"], usage=arguments["usage"])
            links = loader.load_chain(arguments["rules"], context)
            answers = rehearsal.checked_answers(arguments["answers"], links, "answers")
            rows = rehearsal.read_cases(arguments["cases_file"]) if arguments["cases_file"] else arguments["cases"]
            cases = [] if rows is None else rehearsal.parse_cases(rows, links)
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from None
        trials = rehearsal.rehearse(cases, links, context, arguments["packages"], answers, arguments["models"] or None)
        findings = lint(links, arguments["models"])
        lines = [*(rehearsal.rehearsal_table(trials) if trials else ()), *map(str, findings)]
        display.display("\n".join(["", *(lines or ["Nothing to find fault with."]), ""]))

        wrong = [trial for trial in trials if not trial.agrees]
        errors = [finding for finding in findings if finding.level == ERROR]
        problems = []
        if wrong:
            verb = "disagrees" if len(wrong) == 1 else "disagree"
            problems.append(f"{len(wrong)} of {_counted(trials, 'case')} {verb} with the chain: {'; '.join(map(str, wrong[:5]))}")
        if errors and arguments["strict"]:
            problems.append(f"the lint finds {_counted(errors, 'error')}: {'; '.join(map(str, errors[:5]))}")
        result.update(
            changed=False,
            failed=bool(problems),
            passed=not problems,
            msg=". ".join(problems) + "." if problems else f"{_counted(trials, 'case')} {'agrees' if len(trials) == 1 else 'agree'} with the chain.",
            results=[trial.as_dict() for trial in trials],
            findings=[finding.as_dict() for finding in findings],
            table=lines,
        )
        return result
