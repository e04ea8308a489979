# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Which failures the client retries, how long it waits, and when it gives up."""

from __future__ import annotations

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import LONGEST_WAIT
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Exchange, Reply, ScriptedGateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.litellm.client_parts import (
    AUTH_DATABASE_AWAY,
    NO_DATABASE,
    OK,
    client_of,
    refusal,
    unused_port,
)

TEMPORARY = [
    Reply(reset=True),
    Reply(json={"keys": ["a"] * 50}, cut=True),
    Reply(status=502, text="<html>Bad Gateway</html>"),
    Reply(status=503, text=""),
    Reply(status=504, text="<html>Gateway Timeout</html>"),
    Reply(status=500, text="Internal Server Error"),
    Reply(status=502, json={"message": "An invalid response was received from the upstream server"}),
    Reply(status=503, json={"message": "no healthy upstream"}),
    Reply(status=504, json={"statusCode": 504, "error": "Gateway Timeout", "message": "upstream request timeout"}),
    refusal("max parallel requests", "throttling_error", 429),
    refusal(NO_DATABASE, "internal_server_error", 500),
    refusal(f"Authentication Error, {NO_DATABASE}", "auth_error", 400),
    refusal(AUTH_DATABASE_AWAY, "no_db_connection", 503),
]


@pytest.mark.parametrize("failure", TEMPORARY, ids=str)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_temporary_failure_is_retried(failure: Reply, method: str, waits: list[float]) -> None:
    path = "/key/list" if method == "GET" else "/key/generate"
    with ScriptedGateway(
        Exchange(method, path, reply=failure),
        Exchange(method, path, reply=failure),
        Exchange(method, path, reply=Reply(json={"well": True})),
    ) as gateway:
        client = client_of(gateway.url, waits)
        assert (client.get(path) if method == "GET" else client.post(path, {"key_alias": "a"})) == {"well": True}
        assert client.calls == 3
    assert len(waits) == 2
    assert 0.5 <= waits[0] <= 1.0 <= waits[1] <= 2.0, "the wait doubles, less up to half of it"


def test_an_answer_without_a_length_that_is_cut_off(waits: list[float]) -> None:
    """The connection ends in the middle of the JSON, and HTTP does not say that anything is missing."""
    half = Reply(text='{"keys": [', headers={"Content-Type": "application/json"})
    with ScriptedGateway(Exchange("GET", "/key/list", reply=half), Exchange("GET", "/key/list", reply=OK)) as gateway:
        assert client_of(gateway.url, waits).get("/key/list") == {"keys": []}


def test_a_timeout(waits: list[float]) -> None:
    with ScriptedGateway(Exchange("GET", "/models", reply=Reply(json={}, wait=1.0)), Exchange("GET", "/models", reply=OK)) as gateway:
        assert client_of(gateway.url, waits, timeout=0.3).get("/models") == {"keys": []}
    assert len(waits) == 1


@pytest.mark.parametrize("asked", ["7", "7.5", "29"])
def test_retry_after_is_obeyed(asked: str, waits: list[float]) -> None:
    throttled = refusal("slow down", "throttling_error", 429, **{"Retry-After": asked})
    with ScriptedGateway(Exchange("GET", "/models", reply=throttled), Exchange("GET", "/models", reply=OK)) as gateway:
        client_of(gateway.url, waits).get("/models")
    assert waits == [float(asked)]


@pytest.mark.parametrize("asked", ["3600", "inf"])
def test_a_retry_after_of_an_hour_is_not_waited_for(asked: str, waits: list[float]) -> None:
    throttled = refusal("slow down", "throttling_error", 429, **{"Retry-After": asked})
    with (
        ScriptedGateway(Exchange("GET", "/models", reply=throttled)) as gateway,
        pytest.raises(errors.RateLimited, match="too busy"),
    ):
        client_of(gateway.url, waits).get("/models")
    assert waits == []


@pytest.mark.parametrize("asked", ["soon", "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "nan", ""])
def test_a_retry_after_that_is_not_a_number_of_seconds_is_ignored(asked: str, waits: list[float]) -> None:
    throttled = refusal("slow down", "throttling_error", 429, **{"Retry-After": asked})
    with ScriptedGateway(Exchange("GET", "/models", reply=throttled), Exchange("GET", "/models", reply=OK)) as gateway:
        client_of(gateway.url, waits).get("/models")
    assert 0.5 <= waits[0] <= 1.0


def test_waits_are_bounded(waits: list[float]) -> None:
    with (
        ScriptedGateway(*[Exchange("GET", "/models", reply=Reply(status=502, text="no"))] * 13) as gateway,
        pytest.raises(errors.ServerFailed),
    ):
        client_of(gateway.url, waits, retries=12).get("/models")
    assert len(waits) == 12 and max(waits) <= LONGEST_WAIT


def test_the_client_gives_up_after_its_last_try(waits: list[float]) -> None:
    with ScriptedGateway(*[Exchange("GET", "/models", reply=Reply(reset=True))] * 3) as gateway:
        with pytest.raises(errors.Unreachable, match="no answer from .* to GET /models after 3 tries: ") as caught:
            client_of(gateway.url, waits).get("/models")
    assert caught.value.code == "unreachable" and caught.value.status is None
    assert len(waits) == 2


def test_retries_can_be_switched_off(waits: list[float]) -> None:
    with (
        ScriptedGateway(Exchange("GET", "/models", reply=Reply(status=502, text=""))) as gateway,
        pytest.raises(errors.ServerFailed),
    ):
        client_of(gateway.url, waits, retries=0).get("/models")
    assert waits == []


def test_an_address_where_nothing_listens(waits: list[float]) -> None:
    with pytest.raises(errors.Unreachable, match="Connection refused; check the address and that the gateway runs"):
        client_of(f"http://127.0.0.1:{unused_port()}", waits).get("/models")
    assert len(waits) == 2


def test_a_host_name_that_does_not_exist(waits: list[float]) -> None:
    with pytest.raises(errors.Unreachable, match="no answer from http://nobody.invalid "):
        client_of("http://nobody.invalid", waits, retries=0).get("/models")
