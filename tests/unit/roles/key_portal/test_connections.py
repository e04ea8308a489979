# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Which connections make room for a new one; with real sockets it is in tests/integration/portal/test_portal_slow_clients.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.connections import Connections


class Silent:
    """A connection on which nothing is said."""

    def __init__(self, number: int, given_up: list[int]) -> None:
        self.number, self._given_up = number, given_up

    def give_up(self) -> None:
        self._given_up.append(self.number)


def test_each_new_one_lets_one_go_although_asyncio_ends_it_only_later() -> None:
    given_up: list[int] = []
    connections: Any = Connections(most=3, seconds=10)
    made = [Silent(number, given_up) for number in range(9)]
    for number, connection in enumerate(made, start=1):  # all in one moment
        connections.waiting[connection] = None
        connections.make_room(number)
    assert given_up == [0, 1, 2, 3, 4, 5]
    connections.leaving.clear()  # they have ended
    connections.make_room(3)
    assert len(given_up) == 6
