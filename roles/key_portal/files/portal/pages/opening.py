# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Opening a sealed key: the page that a mailed link leads to, and the call by which its script takes the box, once.

The secret of the link stays in the browser, so neither this service nor its log can decrypt what it hands over.
"""

from __future__ import annotations

from typing import Annotated

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.box_keeper import look_at_box, take_box
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import BoxExpired, BoxMissing, BoxOpened, BoxRefused, StoreError
from fastapi import APIRouter, Header, Path
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from ..trail import note_event
from .page import AnyPage

router = APIRouter(prefix="/open")

STATUS_OF_CODE = {"box_missing": 404, "box_opened": 410, "box_expired": 410, "box_refused": 403}
BoxId = Annotated[str, Path(max_length=200)]


class Opening(BaseModel):
    """What the script of the page sends: a proof that its link is whole."""

    proof: str = Field(max_length=200)


@router.get("/{box_id}")
def open_page(page: AnyPage, box_id: BoxId) -> Response:
    """Show the page that opens a box. It is the same for every id: whether there is such a box, only the button tells."""
    answer = page.show("open.html", box_id=box_id)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


@router.post("/{box_id}")
def open_box(page: AnyPage, box_id: BoxId, opening: Opening, token: Annotated[str, Header(alias="X-CSRF-Token")] = "") -> Response:
    """Hand over the contents of a box, and empty it. Raises PageError for a call from elsewhere."""
    page.check_form(token)
    at = page.portal.clock()
    try:
        box = take_box(page.portal.store, box_id, at, proof=opening.proof)
    except BoxOpened as error:
        opened_at = look_at_box(page.portal.store, box_id, at)[0].opened_at
        return JSONResponse({"code": error.code, "opened_at": opened_at}, STATUS_OF_CODE[error.code])
    except (BoxExpired, BoxMissing, BoxRefused) as error:
        return JSONResponse({"code": error.code}, STATUS_OF_CODE[error.code])
    except StoreError:
        return JSONResponse({"code": "store"}, 503)
    note_event(at, "opened", box.owner, "sealed_link", request=box.request_id)
    return JSONResponse({"id": box.id, "request_id": box.request_id, "contents": box.contents})
