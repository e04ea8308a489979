# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Free ports: waiting for one, and choosing one."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl import ports
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.files import GatewayError


def test_a_port_that_is_being_released_is_waited_for() -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        assert not ports.wait_until_free("127.0.0.1", port, 0.5)
        threading.Timer(0.2, server.close).start()
        assert ports.wait_until_free("127.0.0.1", port, 5)


def test_a_chosen_port_is_free_and_below_those_of_outgoing_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "CHOICE", range(15000, 15002))
    monkeypatch.setattr(ports, "is_free", lambda host, port: True)
    assert {ports.choose_port("127.0.0.1", [15000]) for _turn in range(20)} == {15001}
    monkeypatch.setattr(ports, "is_free", lambda host, port: False)
    with pytest.raises(GatewayError, match="no free port"):
        ports.choose_port("127.0.0.1", ())


def test_an_address_of_another_machine_is_named_at_once() -> None:
    with pytest.raises(GatewayError, match=r"no server can listen on 192\.0\.2\.7:20000 \(Cannot assign requested address\): give an address of this"):
        ports.wait_until_free("192.0.2.7", 20000, 30)
