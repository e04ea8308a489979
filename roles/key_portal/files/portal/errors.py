# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What is answered when something is refused or fails. Text from outside is refused at the door, or redacted here.

An answer never repeats what was sent, shows no path, address or traceback, and can always be encoded. The log gets the details, with
whatever looks like a key hidden.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.printable import printable, redact
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import errors as store_errors
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreError
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("portal")

RETRY_SECONDS = 5
"""When a client may try again if the store is down."""
NOT_FOUND = "Request not found"
STORE_DOWN = "The store of requests does not answer at the moment; try again later."
STORE_BUSY = "The request was being changed by others; try again."
SET_ASIDE = "The request cannot be read, and an administrator has to repair it."
INTERNAL = "Internal server error"
_JSON_PATHS = ("/api/", "/health", "/metrics", "/docs", "/redoc", "/openapi.json", "/static/")


class Problem(BaseModel):
    """Why a call was refused or failed, in one sentence."""

    detail: str


class FieldProblem(BaseModel):
    """What is wrong with one field of a call."""

    loc: list[str | int] = Field(description="Where the field is: body, query or path, then its name.")
    msg: str
    type: str


class FieldProblems(BaseModel):
    """What is wrong with the fields of a call."""

    detail: list[FieldProblem]


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of these statuses, for the decorator of a route."""
    return {status: {"model": FieldProblems if status == 422 else Problem, "description": _DESCRIPTIONS[status]} for status in statuses}


_DESCRIPTIONS = {
    400: "The body cannot be read.",
    401: "Who calls did not say who they are, or not correctly.",
    403: "Who calls may not do this, or the call comes from a page of another origin.",
    404: "The request does not exist, or is none of the caller's.",
    408: "The body did not arrive in time.",
    409: "The request is in a state that does not allow this, or somebody else changed it.",
    413: "The body is too large.",
    422: "A field is missing or cannot be used.",
    429: "Too many calls came from this IP address.",
    500: "The requests cannot be read or changed.",
    503: "The store of requests does not answer.",
}


class Refused(Exception):
    """A call that is refused with a status and one sentence, which must be safe to show."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


class Unusable(Exception):
    """A field that passes the checks of its shape, and that no request can hold."""

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(reason)
        self.reason, self.field = reason, field


@contextmanager
def checked_input(field: str = "request") -> Iterator[None]:
    """Answer 422 for a ValueError inside, whose sentence is about what the caller typed."""
    try:
        yield
    except ValueError as error:
        raise Unusable(str(error), field) from None


def shown(text: str) -> str:
    """Return a sentence that may hold what others typed as it may be shown: on one line, encodable, with keys hidden."""
    return redact(printable(text, 500))


def refusal_of(error: StoreError) -> Refused:
    """Return the answer for an error of the store. What administrators need to know is logged."""
    if isinstance(error, store_errors.Missing):
        return Refused(404, NOT_FOUND)
    if isinstance(error, (store_errors.RequestRefused, store_errors.NotRecordable)):
        return Refused(409, shown(str(error)))
    if isinstance(error, (store_errors.Busy, store_errors.Conflict, store_errors.Exists)):
        return Refused(409, STORE_BUSY)
    log.error("%s: %s", error.code, shown(str(error)))
    if isinstance(error, store_errors.Broken):
        return Refused(409, SET_ASIDE)
    return Refused(503, STORE_DOWN, {"Retry-After": str(RETRY_SECONDS)})


def install(app: FastAPI) -> None:
    """Let `app` answer as this file says."""

    @app.exception_handler(Refused)
    async def refused(_request: Request, error: Refused) -> JSONResponse:
        return JSONResponse({"detail": error.detail}, error.status, error.headers)

    @app.exception_handler(StoreError)
    async def store_failed(request: Request, error: StoreError) -> JSONResponse:
        return await refused(request, refusal_of(error))

    @app.exception_handler(Unusable)
    async def unusable(_request: Request, error: Unusable) -> JSONResponse:
        return _field_problems([{"loc": ["body", error.field], "msg": error.reason, "type": "value_error"}])

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return _field_problems(error.errors())


def _field_problems(problems: Sequence[Mapping[str, Any]]) -> JSONResponse:
    """Return the answer 422, with the first fields that are wrong, and without what was sent."""
    found = [
        {"loc": [_place(part) for part in problem["loc"]][:10], "msg": shown(str(problem["msg"])), "type": printable(str(problem["type"]), 80)}
        for problem in problems[:20]
    ]
    return JSONResponse({"detail": found}, 422)


def _place(part: Any) -> str | int:
    return part if isinstance(part, int) and abs(part) < 2**53 else redact(printable(str(part), 80))


def is_page(path: str) -> bool:
    """Return whether people with a browser call this path, and not programs."""
    return path != "/" and not path.startswith(_JSON_PATHS)


def problem_answer(scope: Scope, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer of a middleware for a call that goes no further: a page if a browser called one, else JSON."""
    request = Request(scope)
    page = getattr(scope["app"].state, "problem_page", None) if "app" in scope else None
    if page is not None and is_page(scope["path"]) and "text/html" in request.headers.get("accept", ""):
        try:
            found: Response = page(request, status)
            found.headers.update(headers or {})
            return found
        except Exception as error:  # noqa: BLE001 - what failed may be what pages are made with
            log.error("The page for an error cannot be shown: %s", _described(error))
    return JSONResponse({"detail": detail}, status, dict(headers or {}))


class LastResort:
    """Answers 500 for an error that nobody expected, and logs it with keys hidden. uvicorn would log it as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def noted(message: Message) -> None:
            nonlocal began
            began = began or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is logged, and the caller learns that it failed
            log.error("%s %s: %s", scope.get("method", ""), shown(scope.get("path", "")), _described(error))
            if scope["type"] == "http" and not began:
                await problem_answer(scope, 500, INTERNAL)(scope, receive, send)


def _described(error: BaseException) -> str:
    """Return the kind of the error, its words with keys hidden, and where it happened."""
    trace, places = error.__traceback__, []
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__}: {shown(str(error))} (at {' > '.join(places[-6:])})"
