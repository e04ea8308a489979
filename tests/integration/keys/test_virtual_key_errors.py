# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Missing rights and missing things are errors with a code and a remedy, and nothing is changed."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS, ON_THE_PINNED_RELEASE, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.litellm_process import LitellmProcess, running_litellm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, Live
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.recording_proxy import Gateway as RecordedGateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.recording_proxy import Message, RecordingProxy

Run = Callable[..., dict[str, Any]]

JOBS: dict[str, tuple[str, dict[str, Any]]] = {
    "virtual_keys present": ("virtual_keys", {"keys": [{"user": "user2"}], "models": [GRANITE]}),
    "virtual_keys exact": ("virtual_keys", {"keys": [{"user": "user1"}], "models": [GRANITE], "state": "exact"}),
    "virtual_keys absent": ("virtual_keys", {"state": "absent"}),
    "virtual_keys extend": ("virtual_keys", {"extend_for": "9d"}),
    "virtual_keys rotate": ("virtual_keys", {"rotation": "a"}),
    "virtual_key present": ("virtual_key", {"models": [GRANITE], "max_budget": 9}),
    "virtual_key blocked": ("virtual_key", {"state": "blocked"}),
    "virtual_key absent": ("virtual_key", {"state": "absent"}),
    "virtual_key_info": ("virtual_key_info", {}),
}
AT_LEAST = ("virtual_keys present", "virtual_keys absent", "virtual_key present", "virtual_key_info")
"""The others go the same ways to the gateway."""


@pytest.fixture(params=[pytest.param(name, marks=() if name in AT_LEAST else IN_COLD_RUNS) for name in JOBS])
def job(request: pytest.FixtureRequest, live: Live) -> Run:
    """Each operation of the modules, on a lab of two users."""
    module, arguments = JOBS[request.param]

    def run(**more: Any) -> dict[str, Any]:
        name = {"alias": live.alias("user1")} if module == "virtual_key" else {"guid": live.name}
        return live(module, **name, **arguments, **more)

    return run


@pytest.fixture(scope="module")
def standing_lab(gateway: Gateway) -> Iterator[Live]:
    live = Live(gateway, f"t{uuid.uuid4().hex[:10]}")
    live.lab("user1", "user2")
    yield live
    live.clean()


@pytest.fixture
def lab(live: Live, standing_lab: Live) -> Iterator[Live]:
    """A lab that must be the same after the test, and stays for the next one."""
    own, live.name = live.name, standing_lab.name
    before = live.rows
    assert len(before) == 2
    yield live
    assert live.rows == before
    live.name = own


def refused(result: dict[str, Any], code: str, words: str, secret: str = "") -> None:
    assert result.get("failed"), result
    assert (result["code"], result["changed"]) == (code, False)
    assert words in result["msg"] and "\n" not in result["msg"]
    assert "sk-" not in result["msg"].replace("sk-***", "")
    assert not secret or secret not in str(result)


# ------------------------------------------------------------------------------------------------------ missing rights
@pytest.mark.parametrize("key", ["sk-not-the-master-key-01", "not-even-a-litellm-key"])
def test_a_wrong_key(lab: Live, job: Run, key: str) -> None:
    for check in (True, False):
        refused(job(api_key=key, _check=check), "unauthorized", "does not know the API key", key)


def test_a_virtual_key(lab: Live, job: Run) -> None:
    value = lab.lab("user1")["virtual_keys"][0]["value"]
    refused(job(api_key=value), "not_admin", "give the master key", value)


@pytest.mark.parametrize("sees", ["nothing", "one key of two"])
def test_a_key_of_a_user_who_is_not_an_admin(live: Live, job: Run, gateway: Gateway, sees: str) -> None:
    """LiteLLM answers 200 to such a key and lists only the user's own keys."""
    user = {"user_id": live.name} if sees == "one key of two" else {}
    keys = [{"user": "user1", **user}, {"user": "user2"}]
    live.run_ok("virtual_keys", guid=live.name, keys=keys, models=[GRANITE])
    gateway.post("/user/new", user_id=live.name, user_role="internal_user", auto_create_key=False)
    try:
        key = gateway.post("/key/generate", user_id=live.name, key_alias=f"of-the-user-{live.name}")["key"]
        before = live.rows
        refused(job(api_key=key), "not_admin", "give the master key", key)
        assert live.rows == before
    finally:
        gateway.post("/user/delete", user_ids=[live.name])


# ------------------------------------------------------------------------------------------------------ missing things
def test_nobody_listens(lab: Live, job: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = job(url=f"http://127.0.0.1:{taken.getsockname()[1]}", retries=1)
    refused(result, "unreachable", "Connection refused")


def test_a_page_instead_of_a_gateway(lab: Live, job: Run, gateway: Gateway) -> None:
    with FaultyProxy(gateway.url, Harm("answer", status=200, body=b"<html>Please sign in</html>")) as proxy:
        refused(job(url=proxy.url), "not_litellm", "an HTML page instead of JSON")


def test_a_busy_gateway(lab: Live, job: Run, gateway: Gateway) -> None:
    refusal = {"error": {"message": "slow down", "type": "throttling_error", "param": None, "code": "429"}}
    with FaultyProxy(gateway.url, Harm("answer", status=429, body=refusal, headers={"retry-after": "3600"})) as proxy:
        refused(job(url=proxy.url), "rate_limited", "too busy")


def test_a_model_a_team(lab: Live) -> None:
    for module, name in (("virtual_keys", {"guid": lab.name, "keys": [{"user": "user3"}]}), ("virtual_key", {"alias": lab.alias("user3")})):
        for check in (True, False):
            result = lab(module, **name, models=[GRANITE, "gpt-9"], _check=check)
            refused(result, "unknown_model", "no model named gpt-9")
            assert GRANITE in result["msg"], "the message lists the models that exist"
            refused(lab(module, **name, team_id="no-such-team", _check=check), "unknown_team", "no team no-such-team")


def test_a_missing_lab(live: Live) -> None:
    for change in ({"extend_for": "7d"}, {"rotation": "a"}, {"blocked": True}):
        refused(live("virtual_keys", guid=live.name, **change), "no_such_lab", "provision the lab first")
    refused(live("virtual_key", alias=live.alias(), state="blocked"), "no_such_lab", "check the name")


# -------------------------------------------------------------------------------------------------------- the database
def test_a_gateway_without_a_database(lab: Live, job: Run, without_database: LitellmProcess) -> None:
    refused(job(url=without_database.url), "no_database", "DATABASE_URL")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("models", {"models": [{"name": "one-more", "upstream": "openai/gpt-4o"}]}),
        ("model", {"name": "one-more", "upstream": "openai/gpt-4o"}),
        ("model", {"name": GRANITE, "state": "absent"}),
        ("credential", {"name": "one-more", "provider": "openai", "provider_key": "provider-key-0001"}),
        ("key_reaper", {"live_labs": ["nobody"], "stage": "block"}),
    ],
)
def test_other_modules_that_need_a_database(live: Live, without_database: LitellmProcess, module: str, arguments: dict[str, Any]) -> None:
    live.url = without_database.url
    for check in (True, False):
        result = live(module, **arguments, _check=check)
        refused(result, "no_database", "DATABASE_URL")


def test_usage_is_kept_in_the_database(live: Live, without_database: LitellmProcess) -> None:
    live.url = without_database.url
    for check in (True, False):
        result = live("usage_info", _check=check)
        refused(result, "no_database", "DATABASE_URL")
        assert "usage is kept in the gateway's database" in result["msg"]


def test_a_gateway_that_has_lost_its_database(lab: Live, gateway: Gateway) -> None:
    gateway.stop_postgres()
    try:
        for module, arguments in JOBS.values():
            name = {"alias": lab.alias("user1")} if module == "virtual_key" else {"guid": lab.name}
            refused(lab(module, **name, **arguments, retries=1), "no_database", "see to its DATABASE_URL and to PostgreSQL")
    finally:
        gateway.start_postgres()


def test_a_database_that_comes_back_is_waited_for(live: Live, gateway: Gateway) -> None:
    gateway.stop_postgres()
    back = threading.Timer(3, gateway.start_postgres)
    back.start()
    try:
        result = live("virtual_keys", guid=live.name, keys=[{"user": "user1"}], models=[GRANITE], retries=10, retry_delay=1)
    finally:
        back.join()
    assert result.get("changed"), result["msg"]
    assert live.works(result["virtual_keys"][0]["value"])


def test_a_database_that_stops_during_the_deletion_proves_nothing(live: Live, gateway: Gateway) -> None:
    live.lab("user1")

    def stop(after: bool) -> None:
        if not after:
            gateway.stop_postgres()

    with FaultyProxy(gateway.url, Harm("call", "GET /models", times=1, work=stop)) as proxy:
        try:
            result = live("virtual_keys", guid=live.name, state="absent", url=proxy.url, retries=0)
        finally:
            gateway.start_postgres()
    assert result["code"] == "unproven" and result["changed"] and "could not be asked whether it refuses" in result["msg"]
    assert result["revocation"]["unproven"] == [live.alias("user1")] and not live.rows


# ---------------------------------------------------------------------------------------------------- a second replica
def asked(url: str, value: str) -> int:
    return requests.get(f"{url}/models", headers={"Authorization": f"Bearer {value}"}, timeout=30).status_code


@pytest.fixture(scope="module")
def balanced(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A gateway of two replicas: calls that list models reach the second one, which remembers a key for eight seconds.

    Yields the addresses of the gateway and of the second replica.
    """
    folder = tmp_path_factory.mktemp("replica")
    with running_litellm(gateway, folder, database=True, settings={"user_api_key_cache_ttl": 8}) as replica:
        port = int(replica.url.rsplit(":", 1)[1])

        class Balanced(RecordingProxy):
            async def exchange(self, request: Message, gateway: RecordedGateway) -> Message:
                second = RecordedGateway("127.0.0.1", port)  # one for each call: two calls at once would get each other's answers
                return await (second if request.start_line.startswith("GET /models") else gateway).send(request)

        with Balanced(gateway.url) as proxy:
            yield proxy.url, replica.url


def test_a_deleted_key_is_refused_by_every_replica_before_the_module_ends(live: Live, balanced: tuple[str, str]) -> None:
    url, replica = balanced
    value = live.lab("user1")["virtual_keys"][0]["value"]
    assert asked(replica, value) == 200
    result = live.run_ok("virtual_keys", guid=live.name, state="absent", url=url)
    assert asked(replica, value) == 401
    assert result["revocation"]["proven"] == [live.alias("user1")] and result["revocation"]["seconds"] > 3
    value = live.lab("user1")["virtual_keys"][0]["value"]
    assert asked(replica, value) == 200
    live.run_ok("virtual_keys", guid=live.name, state="absent", url=url, proof="none")
    assert asked(replica, value) == 200, "without the proof it would have been missed"


@ON_THE_PINNED_RELEASE  # a replica of 1.82.6 accepted a deleted key for over 13 s with a cache time of 5 s
def test_a_certain_proof_waits_until_every_replica_has_forgotten(live: Live, balanced: tuple[str, str]) -> None:
    url, replica = balanced
    value = live.lab("user1")["virtual_keys"][0]["value"]
    assert asked(replica, value) == 200
    result = live("virtual_keys", guid=live.name, state="absent", url=url, proof="certain", proof_cache_time=0)
    assert result["code"] == "still_accepted" and "proof_cache_time" in result["msg"] and result["revocation"]["still_accepted"] == [live.alias("user1")]
    value = live.lab("user1")["virtual_keys"][0]["value"]
    assert asked(replica, value) == 200
    certain = live.run_ok("virtual_keys", guid=live.name, state="absent", url=url, proof="certain", proof_cache_time=8)["revocation"]
    assert certain["proof"] == "certain" and certain["proven"] == [live.alias("user1")] and 13 <= certain["seconds"] < 20
    assert asked(replica, value) == 401


def test_a_gateway_that_accepts_no_derived_values(live: Live, gateway: Gateway) -> None:
    gateway.request("PATCH", "/update/ui_settings", json={"disable_custom_api_keys": True})
    try:
        for module, name in (("virtual_key", {"alias": live.alias()}), ("virtual_keys", {"guid": live.name, "keys": [{}]})):
            refused(live(module, **name, models=[GRANITE]), "own_values_forbidden", "switch disable_custom_api_keys off")
    finally:
        gateway.request("PATCH", "/update/ui_settings", json={"disable_custom_api_keys": False})
    assert live.lab()["changed"]
