# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Files of the pages, and the choice of a language."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from ..errors import Refused
from ..identity.link import set_cookie
from ..language import languages
from .page import YEAR, AnyPage

router = APIRouter()

FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/static/{digest}/{name}")
def static_file(request: Request, digest: str, name: str) -> Response:
    """Return a file of the pages, compressed if the browser can read that."""
    asset = request.app.state.assets.find(digest, name)
    if asset is None:
        raise Refused(404, "There is no such file.")
    headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding", "Cross-Origin-Resource-Policy": "same-origin"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.compressed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.content, media_type=asset.media_type, headers=headers)


@router.get("/about")
def about(page: AnyPage) -> Response:
    """Say what this site is, what it keeps, and under which terms its keys are given out."""
    return page.show("about.html")


@router.post("/language")
def choose_language(page: AnyPage, csrf: Annotated[str, Form()] = "", language: Annotated[str, Form()] = "", back: Annotated[str, Form()] = "") -> Response:
    """Keep the language that somebody chose, and go back to the page."""
    page.check_form(csrf)
    answer = page.go(own_path(back))
    if language in languages():
        set_cookie(answer, page.settings, "language", language, YEAR)
    return answer


def own_path(text: str) -> str:
    """Return a path of this site, or that of the first page if `text` would lead elsewhere."""
    parts = urlsplit(text) if text.isascii() and text.isprintable() and len(text) < 2000 else urlsplit("")
    if parts.scheme or parts.netloc or not parts.path.startswith("/") or parts.path.startswith("//") or "\\" in text:
        return "/ask"
    return text
