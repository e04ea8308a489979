# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Where sealed boxes are kept, beside the requests of a store, and how they are opened: each once, by whoever has the whole link.

The portal calls `take_box`, `look_at_box` and `box_of_request`. Passes put boxes and empty them.
"""

from __future__ import annotations

import random
import secrets
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .errors import BoxExpired, BoxMissing, BoxOpened, BoxRefused, Busy, Conflict
from .record import check_id
from .sealed_box import EXPIRED, FULL, OPENED, SealedBox, check_box, request_of_box

if TYPE_CHECKING:
    from .base import Store

_TRIES = 12


@dataclass(frozen=True)
class BoxListing:
    """Boxes, and by the names of their files or Secrets why others cannot be read."""

    boxes: tuple[SealedBox, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()


class BoxKeeper(ABC):
    """The boxes of one store. In check mode nothing is written."""

    def __init__(self, *, check_mode: bool = False) -> None:
        self.check_mode = check_mode

    def put(self, box: SealedBox) -> None:
        """Keep a new box in place of the former one of its request. Raises ValueError for what is not a box, and StoreError."""
        check_box(box)
        if not self.check_mode:
            self._put(box)

    def get(self, request_id: str) -> SealedBox | None:
        """Return the box of a request, or None. Raises Broken if it cannot be read, and StoreError."""
        return self._read(check_id(request_id))

    def find(self, box_id: str) -> SealedBox:
        """Return the box with this id. Raises BoxMissing, also if a newer box has taken its place, Broken and StoreError."""
        try:
            box = self._read(request_of_box(box_id))
        except ValueError:
            box = None
        if box is None or not secrets.compare_digest(box.id, box_id):
            raise BoxMissing("There is no such box, or a newer one has taken its place; use the link of the newest mail.")
        return box

    def take(self, box_id: str, now: str, proof: str) -> SealedBox:
        """Open a box, see `take_box`."""
        opening, taken = secrets.token_hex(16), None
        for attempt in range(_TRIES):
            box = self.find(box_id)
            if taken is not None and box.opening == opening:
                return replace(taken, opened_at=box.opened_at)  # it was opened by this call, and the answer of the store was lost
            _check_full(box, now)
            if not box.takes(proof):
                raise BoxRefused("The link is not complete, or it was changed; use the whole link of the newest mail.")
            taken = box
            try:
                if not self.check_mode:
                    self._replace(check_box(box.emptied(opened_at=now, opening=opening)))
                return replace(box, opened_at=now)
            except Conflict:
                time.sleep(random.uniform(0, min(0.5, 0.01 * 2**attempt)))  # noqa: S311 - not a secret, it only spreads the tries
        raise Busy("The box was changed by others all the time; try again.")

    def empty(self, box: SealedBox, *, withdrawn_at: str = "") -> bool:
        """Empty the box, if it is still as it was read, and return whether it was. Without `withdrawn_at` it has expired."""
        after = box.emptied(withdrawn_at=withdrawn_at)
        if after == box or self.check_mode:
            return after != box
        try:
            self._replace(check_box(after))
        except (Conflict, BoxMissing):
            return False
        return True

    def remove(self, request_id: str) -> None:
        """Remove the box of a request with all that is known about it. One that does not exist is not an error."""
        if not self.check_mode:
            self._remove(check_id(request_id))

    @abstractmethod
    def listing(self, *, only_full: bool = False) -> BoxListing:
        """Return all boxes, or those that have contents."""

    @abstractmethod
    def _read(self, request_id: str) -> SealedBox | None:
        """Return the box, or None. Raises Broken."""

    @abstractmethod
    def _put(self, box: SealedBox) -> None:
        """Write the box, whatever is in its place."""

    @abstractmethod
    def _replace(self, box: SealedBox) -> None:
        """Replace version `box.version` by the box. Raises Conflict if that is not the present version, and BoxMissing."""

    @abstractmethod
    def _remove(self, request_id: str) -> None:
        """Remove the box. A missing one is not an error."""


# ------------------------------------------------------------------------------------------------------- the portal's
def take_box(store: Store, box_id: str, now: str, *, proof: str) -> SealedBox:
    """Open a box: return it with its contents, which are gone from the store from then on. Of several at a time exactly one gets them.

    Raises BoxMissing if there is no such box (any more), BoxOpened or BoxExpired if its contents are gone, BoxRefused for a
    `proof` that is not that of its secret, which leaves the box as it is, and StoreError.
    """
    return store.boxes.take(box_id, now, proof)


def look_at_box(store: Store, box_id: str, now: str) -> tuple[SealedBox, str]:
    """Return the box without its contents, and its state (see BOX_STATES), without opening it. Raises BoxMissing and StoreError."""
    box = store.boxes.find(box_id)
    return replace(box, contents=""), box.state(now)


def box_of_request(store: Store, request_id: str, now: str) -> tuple[SealedBox, str] | None:
    """Return the box of a request, for its owner, as `look_at_box` does; None if it has none. Raises StoreError."""
    box = store.boxes.get(request_id)
    return None if box is None else (replace(box, contents=""), box.state(now))


def _check_full(box: SealedBox, now: str) -> None:
    state = box.state(now)
    if state == OPENED:
        raise BoxOpened(f"The key was opened before, at {box.opened_at}. If that was not you, ask for a new key.")
    if state == EXPIRED:
        raise BoxExpired(f"The link worked until {box.expires_at}; ask for a new one.")
    if state != FULL:
        raise BoxMissing("The key that was sealed here is not the present one any more; use the link of the newest mail.")
