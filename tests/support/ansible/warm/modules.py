# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Run Ansible modules in a fifth of their time: each is a fork of this process, which has imported their libraries.

    python modules.py SOCKET        (the process that waits for modules)

site/sitecustomize.py hands a module over, as a file or on standard input. This process imports Ansible's code and third-party
libraries; each module finds the collection's own code in the archive that Ansible packs for it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import runpy
import sys
import types
from collections.abc import Iterator

from process import Request, of_python, serve


class OnPath:
    """The search path of a package: its folder below every entry of sys.path, where a module puts its own archive."""

    def __init__(self, package: str) -> None:
        self.folder = package.replace(".", "/")

    def __iter__(self) -> Iterator[str]:
        return (f"{entry}/{self.folder}" for entry in sys.path)


def import_what_modules_import() -> None:
    for name in ("ansible.module_utils.basic", "ansible.module_utils.facts.default_collectors"):
        importlib.import_module(name)
    for name in ("kubernetes.dynamic", "requests", "yaml"):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    for name in ("ansible", "ansible.module_utils"):
        sys.modules[name].__path__ = OnPath(name)  # type: ignore[assignment]


def run(request: Request) -> None:
    if request.arguments[1:2] == ["-m"]:
        sys.argv = list(request.arguments[2:])
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    elif request.arguments[1:]:
        sys.argv = list(request.arguments[1:])
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        sys.argv = [""]
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        exec(compile(sys.stdin.buffer.read(), "<stdin>", "exec"), main.__dict__)


if __name__ == "__main__":
    own = of_python(os.environ)
    import_what_modules_import()
    serve(sys.argv[1], lambda request: of_python(request.environment) == own and request.arguments[0] == sys.executable, run)
