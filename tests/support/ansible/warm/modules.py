# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Modules of Ansible in a fifth of their time, for tests that run thousands: a fork of this process, not a Python that starts.

    python modules.py SOCKET        (the process that waits for modules)

site/sitecustomize.py hands a module over, as a file or on standard input. What is imported here is what modules import of
Ansible and of others' libraries; each finds the collection's own part in what Ansible has packed for it.
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
    """Where to look for the parts of a package: below what is on the path then, as the package that a module brings along is."""

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
