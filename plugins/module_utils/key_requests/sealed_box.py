# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A sealed box: the ciphertext of a key for the owner of a request, and what is known about it. No clock, files or network.

Each request has at most one box. A new one takes the place of the former, so none is left over. The id of a box is that of its
request, a dot, and 128 random bits, because the id of a request can be computed from an address and a wish.

A box is emptied once it was opened, has expired, or its key is not the present one any more. What is left says when it was
opened. The secret that opens it is known to the link only, see `delivery/sealed.py` for the format.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..common import durations, email_address
from ..common.printable import quoted
from .record import check_id

BOX_FORMAT = 1
LARGEST_CONTENTS = 100_000
"""Characters of the contents of a box."""
FULL, OPENED, EXPIRED, WITHDRAWN = BOX_STATES = ("full", "opened", "expired", "withdrawn")
"""What can be true of a box. A withdrawn one was emptied because its key was rotated or has ended."""

_RANDOM = re.compile(r"[0-9a-f]{32}")
_CONTENTS = re.compile(r"[A-Za-z0-9_-]*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MARK = re.compile(r"[0-9a-f]{0,64}")
_TEXTS = ("id", "owner", "key_mark", "made_at", "expires_at", "opened_at", "withdrawn_at", "proof_digest", "opening", "contents")


@dataclass(frozen=True)
class SealedBox:
    """A box. `version` belongs to the store, and does not count when boxes are compared."""

    id: str
    owner: str
    made_at: str
    expires_at: str
    key_mark: str = ""
    """The first characters of the key's sha256, which tell whether it is still the present one."""
    proof_digest: str = ""
    """The sha256 of the proof that whoever opens the box has to show."""
    contents: str = field(default="", repr=False)
    """The ciphertext; empty after the first opening, and whenever nobody is to open it."""
    opened_at: str = ""
    withdrawn_at: str = ""
    opening: str = ""
    """Drawn by whoever opened it, who recognises the own opening if the answer of the store was lost."""
    format: int = field(default=BOX_FORMAT, compare=False)
    version: str = field(default="", compare=False)

    @property
    def request_id(self) -> str:
        return self.id.rpartition(".")[0]

    def state(self, now: str) -> str:
        """Return which of BOX_STATES it is in at that time."""
        if self.opened_at:
            return OPENED
        if self.withdrawn_at:
            return WITHDRAWN
        over = durations.parse_time(self.expires_at) <= durations.parse_time(now)
        return EXPIRED if over or not self.contents else FULL

    def takes(self, proof: str) -> bool:
        """Return whether the proof is that of the secret in the link."""
        return hmac.compare_digest(self.proof_digest, proof_digest(proof))

    def emptied(self, *, opened_at: str = "", withdrawn_at: str = "", opening: str = "") -> SealedBox:
        """Return the box without its contents. What is over already stays as it is."""
        if self.opened_at or self.withdrawn_at:
            return replace(self, contents="")
        return replace(self, contents="", opened_at=opened_at, withdrawn_at=withdrawn_at, opening=opening)


def new_box_id(request_id: str) -> str:
    """Return an id for a box of this request that nobody can guess."""
    return f"{check_id(request_id)}.{secrets.token_hex(16)}"


def proof_digest(proof: str) -> str:
    """Return what is kept of a proof."""
    return hashlib.sha256(proof.encode("utf-8", "surrogatepass")).hexdigest()


def request_of_box(box_id: str) -> str:
    """Return the request that the id of a box names. Raises ValueError for what is not the id of a box."""
    request_id, dot, drawn = box_id.rpartition(".")
    if not dot or len(box_id) > 300 or not _RANDOM.fullmatch(drawn):
        raise ValueError("that is not the id of a sealed box.")
    return check_id(request_id)


def check_box(box: SealedBox) -> SealedBox:
    """Return `box` if this module could have made it. Raises ValueError if not."""
    request_of_box(box.id)
    email_address.parse_address(box.owner, "the owner of a box")
    for name in ("made_at", "expires_at", *(each for each in ("opened_at", "withdrawn_at") if getattr(box, each))):
        if durations.iso(durations.parse_time(getattr(box, name), name)) != getattr(box, name):
            raise ValueError(f"{name} is {quoted(getattr(box, name), 40)}; write it as 2026-12-31T18:00:00Z.")
    if len(box.contents) > LARGEST_CONTENTS or not _CONTENTS.fullmatch(box.contents):
        raise ValueError("the contents are not those of a sealed box.")
    if not _MARK.fullmatch(box.key_mark) or not _MARK.fullmatch(box.opening) or not _DIGEST.fullmatch(box.proof_digest):
        raise ValueError("a digest is not one.")
    if box.contents and (box.opened_at or box.withdrawn_at):
        raise ValueError("it is noted as emptied, and has contents.")
    return box


def render_box(box: SealedBox) -> dict[str, Any]:
    """Return the box as a document without its empty fields."""
    return {"format": box.format, **{name: value for name in _TEXTS if (value := getattr(box, name))}}


def parse_box(document: object, version: str = "") -> SealedBox:
    """Return the box in a document. Raises ValueError. Fields that a newer release knows are left out."""
    if not isinstance(document, Mapping):
        raise ValueError("it is not a mapping.")
    given = document.get("format")
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise ValueError("format is not a whole number from 1 up.")
    texts = {name: document.get(name, "") for name in _TEXTS}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise ValueError(f"{name} is not a text.")
    return check_box(SealedBox(**texts, format=given, version=version))


# ------------------------------------------------------------------------------------------- as a Secret of Kubernetes
BOX_PREFIX = "llm-key-box-"
BOX_COMPONENT = "llm-key-box"
BOX_STATE_LABEL = "box-state"
EMPTY = "empty"
"""The label of a box without contents. One with contents is labelled `full`."""


def box_data(box: SealedBox) -> dict[str, str | None]:
    """Return the data of the Secret of a box. None removes an entry."""
    about = {name: value for name, value in render_box(box).items() if name != "contents"}
    texts = {"box": json.dumps(about, ensure_ascii=False), "contents": box.contents}
    return {name: base64.b64encode(text.encode()).decode() if text else None for name, text in texts.items()}


def box_from_data(data: Mapping[str, Any], version: str) -> SealedBox:
    """Return the box in the data of a Secret. Raises ValueError."""
    try:
        texts = {name: base64.b64decode(str(data.get(name) or ""), validate=True).decode() for name in ("box", "contents")}
        about = json.loads(texts["box"])
    except (binascii.Error, UnicodeDecodeError, RecursionError, ValueError):
        raise ValueError("the datum box is not JSON, or the datum contents is not text.") from None
    return parse_box({**about, "contents": texts["contents"]} if isinstance(about, dict) else about, version)
