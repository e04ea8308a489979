# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Modules of Ansible in a third of their time, for tests that run thousands: a fork of this process, not a Python that starts.

    python modules.py SOCKET        (the process that waits for modules)

site/sitecustomize.py hands a module over. What is imported here is what modules import from outside of Ansible: Ansible's own
part, and the collection's, each module brings along.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys

from process import Request, of_python, serve


def import_what_modules_import() -> None:
    for name in ("ansible.module_utils.basic", "kubernetes.dynamic", "requests", "yaml"):
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "ansible"]:
        del sys.modules[name]


def run(request: Request) -> None:
    sys.argv = list(request.arguments[1:])
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    own = of_python(os.environ)
    import_what_modules_import()
    serve(sys.argv[1], lambda request: of_python(request.environment) == own and request.arguments[0] == sys.executable, run)
