# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`/health`: for monitoring, and below it what probes ask. It says what is up in a word, and nothing about where or whose."""

from __future__ import annotations

import asyncio
from typing import Literal

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreError
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from . import Portal

router = APIRouter(tags=["LLM Key Requestor"])


class StoreState(BaseModel):
    status: Literal["up", "down"]


class PassState(BaseModel):
    status: Literal["on time", "late", "never", "unknown"]
    age_seconds: int | None = Field(description="Seconds since the last pass ended.")
    failed: int = Field(description="How many requests failed in it.")


class MailState(BaseModel):
    status: Literal["up", "failing", "unknown"]
    failed: int = Field(description="How many mails the last pass could not send.")


class Components(BaseModel):
    store: StoreState
    passes: PassState
    mail: MailState


class Health(BaseModel):
    status: Literal["healthy", "degraded", "unhealthy"]
    components: Components


@router.get("/health", responses={503: {"model": Health, "description": "The store of requests does not answer."}})
async def health(portal: Portal, response: Response) -> Health:
    """Return `healthy`; `degraded` if passes are late or mails fail; with status 503 `unhealthy` if the store does not answer."""
    try:
        last = await asyncio.to_thread(portal.last_pass)  # not one of the threads that calls which hang may have used up
    except StoreError:
        response.status_code = 503
        unknown = PassState(status="unknown", age_seconds=None, failed=0)
        return Health(status="unhealthy", components=Components(store=StoreState(status="down"), passes=unknown, mail=MailState(status="unknown", failed=0)))
    mail = MailState(status="unknown" if last.status == "never" else "failing" if last.mails_failed else "up", failed=last.mails_failed)
    components = Components(store=StoreState(status="up"), passes=PassState(status=last.status, age_seconds=last.age_seconds, failed=last.failed), mail=mail)
    return Health(status="healthy" if last.status == "on time" and mail.status == "up" else "degraded", components=components)


class Probe(BaseModel):
    status: Literal["alive", "ready", "store down"]


@router.get("/health/live")
async def live() -> Probe:
    """Return `alive`, if this process answers at all. Only a process that does not should be restarted."""
    return Probe(status="alive")


@router.get("/health/ready", responses={503: {"model": Probe, "description": "The store of requests does not answer."}})
async def ready(portal: Portal, response: Response) -> Probe:
    """Return `ready`, or with status 503 `store down`. Passes that are late do not count: people can ask and decide meanwhile."""
    try:
        await asyncio.to_thread(portal.last_pass)
    except StoreError:
        response.status_code = 503
        return Probe(status="store down")
    return Probe(status="ready")
