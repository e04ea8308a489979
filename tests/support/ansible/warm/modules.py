# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Run each Ansible module as a fork of this process, which has imported third-party libraries.

    python modules.py SOCKET        (the process that waits for modules)

site/sitecustomize.py hands a module over, as a file or on standard input. This process imports third-party libraries; each module
finds the code of Ansible and of the collection in the archive that Ansible packs for it. That code is compiled once: Python keeps no
bytecode of archives, and compiling took half of a module's time.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import marshal
import os
import runpy
import sys
import types
import zipimport
from pathlib import Path

from process import Request, of_python, serve


def import_what_modules_import() -> None:
    """Import the libraries of modules that are there. Ansible's own code and the collection's come from the archive of each module."""
    for name in ("kubernetes.dynamic", "requests", "yaml"):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)


def compile_once(folder: Path) -> None:
    """Keep the bytecode of sources in archives in `folder`, for all archives with the same source."""
    compile_source = zipimport._compile_source  # type: ignore[attr-defined]

    def compiled(path: str, source: bytes) -> types.CodeType:
        kept = folder / hashlib.sha256(source).hexdigest()
        with contextlib.suppress(FileNotFoundError):
            known: types.CodeType = marshal.loads(kept.read_bytes())
            return known
        code: types.CodeType = compile_source(path, source)
        unfinished = kept.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(marshal.dumps(code))
        unfinished.rename(kept)
        return code

    folder.mkdir()
    zipimport._compile_source = compiled  # type: ignore[attr-defined]


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
    compile_once(Path(sys.argv[1]).with_name("bytecode"))
    serve(sys.argv[1], lambda request: of_python(request.environment) == own and request.arguments[0] == sys.executable, run)
