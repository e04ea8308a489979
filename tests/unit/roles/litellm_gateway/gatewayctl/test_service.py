# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Starting, watching and stopping a service."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl import locks
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl import service as service_module
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.files import GatewayError
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.service import Service

READY = "import pathlib, time; pathlib.Path('ready').touch(); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {READY}"


def with_code(service: Service, code: str, **changes: Any) -> Service:
    return dataclasses.replace(service, command=[sys.executable, "-c", code], **changes)


def pid_of(service: Service) -> int:
    holder = locks.find_holder(service.lock)
    assert holder
    return holder.pid


def test_a_service_runs_until_stopped(service: Service) -> None:
    assert not service.is_current()
    service.start()
    pid = pid_of(service)
    assert locks.find_holder(service.lock) == locks.Holder(pid, service.port, service.fingerprint)
    assert os.getsid(pid) == pid, "otherwise it would end with its terminal"
    assert service.is_current()
    service.stop()
    assert locks.find_holder(service.lock) is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0) if os.waitpid(pid, 0) else None
    service.stop()  # nothing more to do


def test_its_files_are_private(service: Service, tmp_path: Path) -> None:
    service.start()
    for name in ("sleeper.log", "sleeper.lock", "ready"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) & 0o077 == 0, name


@pytest.mark.parametrize(
    "change",
    [{"command": ["another"]}, {"environment": {"TOKEN": "another"}}, {"configuration": b"another"}],
    ids=lambda change: next(iter(change)),
)
def test_any_change_needs_a_restart(service: Service, change: dict[str, Any]) -> None:
    service.start()
    assert not dataclasses.replace(service, **change).is_current()


def test_a_service_that_is_unready_for_a_moment_is_waited_for(service: Service, tmp_path: Path) -> None:
    service.start()
    (tmp_path / "ready").unlink()
    assert not service.is_current()
    subprocess.Popen([sys.executable, "-c", "import pathlib, time; time.sleep(0.5); pathlib.Path('ready').touch()"], cwd=tmp_path)
    assert service.is_current(10)


def test_a_service_that_ignores_its_signal_is_killed(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "STOP_SECONDS", 0.5)
    stubborn = with_code(service, STUBBORN)
    stubborn.start()
    stubborn.stop()
    assert locks.find_holder(service.lock) is None


def test_a_service_that_ends_while_starting_is_reported_with_the_end_of_its_log(service: Service) -> None:
    failing = with_code(service, "import os, sys; print('the key sk-abcdefgh12345 of', os.environ['TOKEN'], 'postgresql://me:pass@host/db'); sys.exit(3)")
    with pytest.raises(GatewayError) as problem:
        failing.start()
    text = str(problem.value)
    assert text.startswith("Sleeper ended with status 3 while starting. The end of its log, ")
    assert text.endswith("the key ******** of ******** postgresql://********@host/db")


def test_a_service_that_is_not_ready_in_time_is_stopped(service: Service) -> None:
    slow = with_code(service, "import time; time.sleep(60)", start_seconds=0.3)
    with pytest.raises(GatewayError, match=r"^Sleeper was not ready after 0\.3 seconds and was stopped"):
        slow.start()
    assert locks.find_holder(service.lock) is None


def test_a_program_that_does_not_exist_is_reported(service: Service) -> None:
    with pytest.raises(GatewayError, match="Sleeper could not be started: .*no-such-program"):
        dataclasses.replace(service, command=["/no-such-program"]).start()


def test_an_occupied_port_is_reported_before_the_running_service_is_stopped(service: Service) -> None:
    service.start()
    pid = pid_of(service)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(GatewayError, match=rf"^Sleeper cannot listen on 127\.0\.0\.1:{port} because another program does: .* sleeper_port "):
            dataclasses.replace(service, port=port).start()
    assert pid_of(service) == pid


def test_the_log_of_the_start_before_is_kept(service: Service, tmp_path: Path) -> None:
    for word in ("first", "second", "third"):
        with_code(service, f"print('{word}', flush=True); {READY}").start()
        (tmp_path / "ready").unlink()
    assert (tmp_path / "sleeper.log").read_text() == "third\n"
    assert (tmp_path / "sleeper.log.1").read_text() == "second\n"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_children_of_a_killed_service_are_ended(service: Service, tmp_path: Path) -> None:
    """For example LiteLLM's workers, which would keep listening on its port."""
    child = "import os, pathlib, time; os.setsid(); pathlib.Path('child').write_text(str(os.getpid())); pathlib.Path('ready').touch(); time.sleep(60)"
    parent = with_code(service, f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])")
    for end in (lambda pid: os.kill(pid, signal.SIGKILL), lambda _pid: None):
        (tmp_path / "ready").unlink(missing_ok=True)
        parent.start()
        end(pid_of(service))
        assert parent.stop()
        status = Path(f"/proc/{(tmp_path / 'child').read_text()}/stat")
        assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z", "the child lives"
        assert not parent.stop()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_children_of_a_killed_service_do_not_occupy_its_port(service: Service, tmp_path: Path) -> None:
    listen = f"server = socket.create_server(('127.0.0.1', {service.port})); pathlib.Path('ready').touch(); time.sleep(60)"
    child = f"import os, pathlib, socket, time; os.setsid(); {listen}"
    parent = with_code(service, f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])")
    parent.start()
    (tmp_path / "ready").unlink()
    os.kill(pid_of(service), signal.SIGKILL)
    assert parent.ends_within(10)
    parent.start()
    assert parent.is_current()
    parent.stop()


def test_a_program_in_the_foreground_holds_the_lock(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    child = os.fork()
    if child == 0:
        service.run()
    try:
        service.wait()
        assert locks.find_holder(service.lock) == locks.Holder(child, service.port, service.fingerprint)
        with pytest.raises(GatewayError, match="runs already"):
            service.run()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    monkeypatch.setattr(service_module, "RUN_SECONDS", 0.1)
    with pytest.raises(GatewayError, match="Sleeper did not begin to run"):
        service.wait()
