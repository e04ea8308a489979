# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A process is taken for the service only if it holds the service's lock."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl import locks
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl import service as service_module
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.files import GatewayError
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.service import Service


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_recycled_process_id_is_not_taken_for_the_service(service: Service, stranger: subprocess.Popen[bytes]) -> None:
    left_by_a_reboot = {"pid": stranger.pid, "port": service.port, "fingerprint": service.fingerprint}
    service.lock.write_text(json.dumps(left_by_a_reboot) + "\n")
    assert locks.find_holder(service.lock) is None
    assert locks.last_port(service.lock) == service.port
    assert not service.is_current()
    service.stop()
    assert stranger.poll() is None


def test_a_stranger_is_not_killed_even_while_the_lock_is_held(service: Service, stranger: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's children may outlive it for a moment while the system gives its process id to another program."""
    monkeypatch.setattr(service_module, "STOP_SECONDS", 0.3)
    service.start()
    holder = locks.find_holder(service.lock)
    assert holder
    service.lock.write_text(json.dumps({**dataclasses.asdict(holder), "pid": stranger.pid}) + "\n")
    with pytest.raises(GatewayError, match=rf"^Sleeper \(process {stranger.pid}\) does not end"):
        service.stop()
    assert stranger.poll() is None
    service.lock.write_text(json.dumps(dataclasses.asdict(holder)) + "\n")
