# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Run a module in a process of its own, at the same time as others or to be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import MODULES, payload
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm import process, runner


class ModuleProcess:
    """A module that has been started."""

    def __init__(self, name: str, arguments: Mapping[str, Any], folder: Path) -> None:
        """Start a module. Its arguments travel in a private file below the folder, as they do with Ansible."""
        handle, file = tempfile.mkstemp(dir=folder, suffix=".json")
        with os.fdopen(handle, "w") as arguments_file:
            arguments_file.write(payload(arguments, check=False, diff=False, no_log=True))
        self._printed = tempfile.TemporaryFile("w+")  # noqa: SIM115 (output closes it)
        self._ended = threading.Event()
        self._process: _Process = (_Started if installation.COLD else _Fork)(f"{MODULES}.{name}", file, folder, self._printed.fileno())

    def output(self, timeout: float) -> str:
        """Wait for its end and return what it printed, or an empty string if it was killed. `timeout` is in seconds."""
        with self._printed:
            self._process.wait(timeout)
            self._ended.set()
            self._printed.seek(0)
            return self._printed.read()

    def kill(self) -> None:
        """Kill it with SIGKILL while another thread waits for the output. Returns when it is dead."""
        self._process.kill()
        assert self._ended.wait(60)


class _Process(Protocol):
    def wait(self, timeout: float) -> None: ...

    def kill(self) -> None: ...


class _Fork:
    """A fork of the process that has imported the modules' libraries."""

    def __init__(self, module: str, file: str, folder: Path, output: int) -> None:
        usual = {**os.environ, **ANSIBLE_ENVIRONMENT}
        warm = runner.Warm.of(usual)
        environment = {**usual, **warm.handing_over(usual)}
        request = process.Request(process.umask(), str(folder), [installation.PYTHON, "-m", module, file], environment)
        self._caller = socket.socket(socket.AF_UNIX)
        with open(os.devnull) as nothing:
            process.send(self._caller, warm.folder / "modules", request, (nothing.fileno(), output, output))

    def wait(self, timeout: float) -> None:
        self._caller.settimeout(timeout)
        with self._caller:
            assert self._caller.recv(16) != process.UNFIT

    def kill(self) -> None:
        self._caller.shutdown(socket.SHUT_WR)


class _Started:
    """A new Python, as for a user."""

    def __init__(self, module: str, file: str, folder: Path, output: int) -> None:
        self._python = subprocess.Popen(
            [installation.PYTHON, "-m", module, file],
            cwd=folder,
            env={**os.environ, **ANSIBLE_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def wait(self, timeout: float) -> None:
        self._python.wait(timeout)

    def kill(self) -> None:
        os.killpg(self._python.pid, signal.SIGKILL)
