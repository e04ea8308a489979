# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A client of a scripted gateway, and the refusals that it gets. Their wording was recorded from LiteLLM 1.102.4."""

from __future__ import annotations

import socket
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Reply

KEY = "sk-the-masters-own-key-0123456789"
NO_DATABASE = "Can't reach database server at `127.0.0.1:5432` (connect ECONNREFUSED 127.0.0.1:5432)"
AUTH_DATABASE_AWAY = "Service Unavailable, the authentication database is temporarily unreachable. Please retry shortly."
OK = Reply(json={"keys": []})
MODELS = Reply(json={"data": [], "object": "list"})


def refusal(message: str, kind: str = "bad_request_error", status: int = 400, **headers: str) -> Reply:
    """Return a refusal as LiteLLM phrases it."""
    body = {"error": {"message": message, "type": kind, "param": "None", "code": str(status)}}
    return Reply(status=status, json=body, headers=headers)


def client_of(url: str, waits: list[float] | None = None, **options: Any) -> Client:
    """Return a client that notes its waits, in seconds, in `waits` and does not sleep."""
    settings = {"timeout": 5.0, "retries": 2, "retry_delay": 1.0, **options}
    return Client(Connection(url=url, api_key=KEY, **settings), sleep=([] if waits is None else waits).append)


def unused_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
