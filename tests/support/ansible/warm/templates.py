# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Compile templates and conditions once for all playbooks; otherwise every worker of Ansible compiles those of its task again.

From ansible-core 2.19 on, Jinja evaluates nothing while it compiles for Ansible: the code depends on the text and on the settings in
`identity` alone. Older releases compile as usual.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import CodeType
from typing import Any

SYNTAX = (
    *("block_start_string", "block_end_string", "variable_start_string", "variable_end_string", "comment_start_string", "comment_end_string"),
    *("line_statement_prefix", "line_comment_prefix", "trim_blocks", "lstrip_blocks", "newline_sequence", "keep_trailing_newline"),
    *("optimized", "is_async"),
)
"""The settings of a Jinja environment that define its language."""


def compile_once(remembered: Callable[[bytes, Callable[[], CodeType]], CodeType]) -> None:
    """Compile the templates of this process and its forks through `remembered`, a function of (identity, how to compile)."""
    try:
        bits = importlib.import_module("ansible._internal._templating._jinja_bits")
    except ModuleNotFoundError:
        return
    environment, context = bits.AnsibleEnvironment, bits._TemplateCompileContext
    expression = importlib.import_module("jinja2.environment").TemplateExpression
    compile_anew, compile_expression_anew = environment.compile, environment.compile_expression
    made: list[CodeType] = []

    def identity(self: Any, kind: str, source: str) -> bytes:
        compiling = context.current(optional=True)
        syntax = [getattr(self, name) for name in SYNTAX]
        return repr([kind, source, syntax, sorted(self.extensions), bool(compiling and compiling.escape_backslashes)]).encode()

    def compile_template(self: Any, source: Any, *further: Any, **named: Any) -> Any:
        if isinstance(source, str) and not further and not named:
            return remembered(identity(self, "template", str(source)), lambda: compile_anew(self, source))
        code = compile_anew(self, source, *further, **named)
        made[:] = [code]
        return code

    def compile_expression(self: Any, source: str, undefined_to_none: bool = True) -> Any:
        def anew() -> CodeType:
            compile_expression_anew(self, source)  # compiles what it has parsed, by compile_template
            return made.pop()

        code = remembered(identity(self, "expression", str(source)), anew)
        return expression(self.template_class.from_code(self, code, self.make_globals(None), None), undefined_to_none)

    environment.compile, environment.compile_expression = compile_template, compile_expression
