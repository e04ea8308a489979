# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The number of HTTP calls of an operation, counted between the module and the real gateway."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import ON_THE_PINNED_RELEASE, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, Live
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.recording_proxy import RecordingProxy

pytestmark = ON_THE_PINNED_RELEASE  # an older one takes more calls

PROBES = 2


@pytest.fixture(scope="module")
def crowd(gateway: Gateway) -> Iterator[None]:
    """One and a half pages of other labs' keys."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: gateway.post("/key/generate", key_alias=f"virtkey-crowd{number}-user1", models=[GRANITE])["token"], range(150)))
    yield
    gateway.post("/key/delete", keys=made)


@pytest.fixture
def proxy(gateway: Gateway, live: Live, crowd: None) -> Iterator[RecordingProxy]:
    with RecordingProxy(gateway.url) as proxy:
        live.url = proxy.url
        yield proxy


def counted(proxy: RecordingProxy) -> Counter[str]:
    """Count calls by path, and the pages of the lab's own list separately from other requests for the list."""
    return Counter("page" if "search=" in call.query else call.path for call in proxy.take())


def users(count: int) -> list[str]:
    return [f"user{number}" for number in range(1, count + 1)]


@pytest.mark.parametrize("count", [1, 20])
def test_provision(live: Live, proxy: RecordingProxy, count: int) -> None:
    result = live.lab(*users(count), state="exact")
    calls = counted(proxy)
    assert calls["/key/generate"] == count and calls["page"] == 4
    assert calls.total() == result["calls"] <= count + 2 + calls["page"]


@pytest.mark.parametrize("state", ["present", "exact"])
def test_a_hundred_users_again(live: Live, proxy: RecordingProxy, state: str) -> None:
    live.lab(*users(100))
    proxy.take()
    again = live.lab(*users(100), state=state)
    assert not again["changed"] and len(again["virtual_keys"]) == 100
    calls = proxy.take()
    assert len(calls) <= 2 and {call.method for call in calls} == {"GET"}


@pytest.mark.parametrize("count", [1, 20])
def test_destroy(live: Live, proxy: RecordingProxy, count: int) -> None:
    live.lab(*users(count))
    proxy.take()
    live.run_ok("virtual_keys", guid=live.name, state="absent")
    calls = counted(proxy)
    assert calls["/key/delete"] == 1 and calls["/models"] == count * PROBES
    assert calls.total() <= 3 + calls["page"] + calls["/models"] and calls["page"] <= 3


def test_destroy_nothing(live: Live, proxy: RecordingProxy) -> None:
    live.run_ok("virtual_keys", guid=live.name, state="absent")
    assert counted(proxy).total() <= 4


def test_extend_and_block_all(live: Live, proxy: RecordingProxy) -> None:
    live.lab(*users(5))
    for change in ({"extend_for": "9d"}, {"blocked": True}):
        proxy.take()
        live.run_ok("virtual_keys", guid=live.name, **change)
        calls = counted(proxy)
        assert calls["/key/update"] == 5 and calls.total() <= 5 + 1 + calls["page"]


def test_rotate_all(live: Live, proxy: RecordingProxy) -> None:
    live.lab(*users(5))
    proxy.take()
    live.run_ok("virtual_keys", guid=live.name, rotation="a")
    calls = counted(proxy)
    assert (calls["/key/update"], calls["/key/generate"], calls["/key/delete"]) == (5, 5, 1)
    assert calls["/models"] == 5 * PROBES and calls["page"] <= 6


def test_one_connection_a_worker(live: Live, proxy: RecordingProxy) -> None:
    live.lab(*users(20), parallel_calls=4)
    assert len({call.connection for call in proxy.take()}) <= 4
