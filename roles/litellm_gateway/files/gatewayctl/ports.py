# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""TCP ports: which are free, and choosing one."""

from __future__ import annotations

import contextlib
import errno
import secrets
import socket
import time
from collections.abc import Collection

from .files import GatewayError

CHOICE = range(15000, 30000)
"""Ports to choose from, below those that Linux gives to outgoing connections: such a connection could occupy a chosen port."""
WAIT_SECONDS = 5.0
"""How long to wait for a port that is in use to become free."""
WAIT_FOR_OWN_SECONDS = 30.0
"""The same for the port that the gateway had before: clients know it, and on a busy machine a killed process ends late."""
POLL_SECONDS = 0.1


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on the port now. Raises GatewayError if it never could."""
    with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise GatewayError(
                f"no server can listen on {host}:{port} ({error.strerror}): give an address of this machine, and a port from 1024 on unless root runs it"
            ) from error
    return True


def wait_until_free(host: str, port: int, seconds: float) -> bool:
    """Wait until a server could listen on the port; return whether it could within that time."""
    deadline = time.monotonic() + seconds
    while not is_free(host, port):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def choose_port(host: str, avoid: Collection[int]) -> int:
    """Return a random free port. Raises GatewayError if none is found."""
    for _attempt in range(200):
        port = secrets.choice(CHOICE)
        if port not in avoid and is_free(host, port):
            return port
    raise GatewayError(f"no free port was found on {host} between {CHOICE.start} and {CHOICE.stop}: give the ports by hand")


def reachable(host: str) -> str:
    """Return the address at which this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (a server that listens on all addresses)


def url_of(host: str, port: int, scheme: str = "http") -> str:
    """Return the URL at which this machine reaches a server that listens on `host` and `port`."""
    found = reachable(host)
    return f"{scheme}://{f'[{found}]' if ':' in found else found}:{port}"
