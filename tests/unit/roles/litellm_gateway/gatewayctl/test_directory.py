# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The secrets and ports of a gateway, which stay the same from one start to the next."""

from __future__ import annotations

import contextlib
import socket
import stat
import threading
from collections.abc import Callable

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl import ports
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.gateway import Gateway


def test_secrets_and_ports_are_chosen_once(gateway: Gateway) -> None:
    directory = gateway.directory
    directory.choose_missing()
    names = ("master_key", "salt_key", "database_password")
    chosen, secrets = directory.ports, {name: directory.secret(name) for name in names}
    assert len({*chosen.values(), *secrets.values()}) == 5
    assert secrets["master_key"].startswith("sk-")
    directory.choose_missing()
    assert (directory.ports, {name: directory.secret(name) for name in names}) == (chosen, secrets)
    for path in directory.path.rglob("secrets/*_*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_given_port_is_taken_and_a_chosen_one_moves_when_another_program_has_it(configure: Callable[..., Gateway]) -> None:
    directory = configure().directory
    directory.choose_missing()
    with contextlib.closing(socket.create_server(("127.0.0.1", directory.ports["litellm"]))):
        before = directory.ports
        directory.choose_missing()
        assert directory.ports["litellm"] != before["litellm"]
        assert directory.ports["postgres"] == before["postgres"]
    directory = configure(ports={"litellm": 4000, "postgres": 0}).directory
    directory.choose_missing()
    assert directory.ports == {"litellm": 4000, "postgres": before["postgres"]}


def test_the_port_that_clients_know_is_waited_for_longest(gateway: Gateway) -> None:
    gateway.directory.choose_missing()
    before = gateway.directory.ports
    server = socket.create_server(("127.0.0.1", before["litellm"]))
    threading.Timer(2 * ports.WAIT_SECONDS, server.close).start()
    gateway.directory.choose_missing()
    assert gateway.directory.ports == before


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "http://127.0.0.1:4000"), ("0.0.0.0", "http://127.0.0.1:4000"), ("::", "http://[::1]:4000")])
def test_the_url_is_one_that_this_machine_reaches(configure: Callable[..., Gateway], host: str, url: str) -> None:
    directory = configure(host=host).directory
    (directory.path / "ports.json").write_text('{"litellm": 4000, "postgres": 5432}')
    assert directory.url == url
