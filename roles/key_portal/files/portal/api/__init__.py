# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The calls of the service, and what their handlers share. A file has one router; `ROUTERS` is what `create_app` includes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Annotated, Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.audit import json_lines
from fastapi import Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter

from ..store import PortalDesk

JSON_LINES = "application/jsonl"
BATCH = 200
"""Events that are sent at a time."""


async def portal_of(request: Request) -> PortalDesk:
    """Return the portal that serves the call."""
    portal: PortalDesk = request.app.state.portal
    return portal


Portal = Annotated[PortalDesk, Depends(portal_of)]
"""The portal, as a parameter of a handler."""


def json_of(kind: TypeAdapter[Any], value: Any) -> bytes:
    """Return a value of a call's documented kind as JSON."""
    return kind.dump_json(value)


def audit_answer(events: Iterable[Mapping[str, Any]]) -> StreamingResponse:
    """Return the events of an audit as JSON Lines, to be kept in a file. Many at a time, because each part of the answer costs a turn of a thread."""
    rest = iter(events)
    parts = (json_lines(batch) for batch in iter(lambda: list(islice(rest, BATCH)), []))
    headers = {"Content-Disposition": 'attachment; filename="key-requests-audit.jsonl"'}
    return StreamingResponse(parts, media_type=JSON_LINES, headers=headers)


def rendered_answer(content: bytes) -> Response:
    """Return an answer that was rendered before."""
    return Response(content, media_type="application/json")
