# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Run local modules of a warm playbook in the process of modules.py, without /bin/sh and a fresh interpreter."""

from __future__ import annotations

import contextlib
import importlib
import os
import shlex
from pathlib import Path
from typing import Any

from process import UNFIT, Request, ask, umask

SHELL = ["/bin/sh", "-c"]
AFTER = ["&&", "sleep", "0"]
"""Ansible adds this to each command."""


def environment_and_python(command: str) -> tuple[dict[str, str], list[str]] | None:
    """Return the variables and the Python of a command that only pipes a module into it; None for other commands."""
    words = shlex.split(command)
    if words[:-1] != SHELL:
        return None
    words = shlex.split(words[-1])
    if words[-3:] != AFTER or len(words) < 4 or not words[-4].startswith("/") or not all("=" in word for word in words[:-4]):
        return None
    return dict(word.split("=", 1) for word in words[:-4]), [words[-4]]


def send_modules_to(door: Path) -> None:
    """Make this process and its forks send their modules to the socket of modules.py. Modules that it refuses start by a shell."""
    connection = importlib.import_module("ansible.plugins.connection.local").Connection
    display = importlib.import_module("ansible.utils.display").Display()
    exec_by_shell = connection.exec_command

    def exec_command(self: Any, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        module = environment_and_python(cmd) if in_data and not (sudoable and self.become) else None
        if in_data and module:
            display.vvv(f"EXEC {cmd}", host=self._play_context.remote_addr)
            request = Request(umask(), os.fsdecode(self.cwd or os.getcwd()), module[1], {**os.environ, **module[0]})
            with contextlib.ExitStack() as files:
                given, out, error = (files.enter_context(open(os.memfd_create("module"), "w+b")) for _each in range(3))
                given.write(in_data)
                given.seek(0)
                answer = ask(door, request, (given.fileno(), out.fileno(), error.fileno()), None)
                if answer != UNFIT:
                    code = os.waitstatus_to_exitcode(int(answer))
                    out.seek(0)
                    error.seek(0)
                    return code if code >= 0 else 128 - code, out.read(), error.read()
        return exec_by_shell(self, cmd, in_data, sudoable)

    connection.exec_command = exec_command
