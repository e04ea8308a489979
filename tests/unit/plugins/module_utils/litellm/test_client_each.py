# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Several calls at a time: a failure takes the place of its result, and a pointless rest is left out."""

from __future__ import annotations

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection

REFUSED = errors.Rejected("refused")
UNKNOWN_KEY = errors.Unauthorized("unknown key")


@pytest.fixture
def client() -> Client:
    return Client(Connection(url="http://127.0.0.1:9", api_key="sk-never-sent", parallel_calls=1))


def tried_by(client: Client, failure: errors.GatewayError) -> tuple[list[int], list[int | errors.GatewayError]]:
    """Which of three items were tried when the first one fails, and the results."""
    tried: list[int] = []

    def work(item: int) -> int:
        tried.append(item)
        if item == 0:
            raise failure
        return item * 10

    return tried, client.each(work, range(3))


def test_a_failure_of_one_item_does_not_stop_the_others(client: Client) -> None:
    assert tried_by(client, REFUSED) == ([0, 1, 2], [REFUSED, 10, 20])


def test_after_a_hopeless_failure_nothing_else_is_tried(client: Client) -> None:
    assert tried_by(client, UNKNOWN_KEY) == ([0], [UNKNOWN_KEY, UNKNOWN_KEY, UNKNOWN_KEY])


def test_all_returns_the_results_in_order_or_raises(client: Client) -> None:
    assert client.all(lambda item: item * 10, range(3)) == [0, 10, 20]

    def refuse(item: int) -> int:
        raise REFUSED

    with pytest.raises(errors.Rejected, match="refused"):
        client.all(refuse, range(3))
