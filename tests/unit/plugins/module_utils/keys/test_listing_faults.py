# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Lists that change while they are read, gateways that ignore a filter, and keys that cannot be read."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.api import KeyApi
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Exchange, Reply, Request, ScriptedGateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import Fault, ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.served_lab import actions_of, apply, destroy, wanted_keys


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def api(served: ServedModel, warnings: list[str]) -> KeyApi:
    return api_of(served.url, warnings)


def api_of(url: str, warnings: list[str]) -> KeyApi:
    return KeyApi(Client(Connection(url=url, api_key=MASTER_KEY, retries=0)), warnings.append)


def read(api: KeyApi) -> list[LiveKey]:
    return api.keys()


def make(served: ServedModel, count: int, name: str = "key", **settings: Any) -> list[str]:
    """Make keys, one a second, and return their tokens: the oldest, which LiteLLM lists last, first."""
    tokens = []
    for number in range(count):
        body = {"key": f"sk-0123456789-{name}-{number:04d}", "key_alias": f"{name}-{number:04d}", **settings}
        tokens.append(served.model.handle("POST", "/key/generate", {}, body)[1]["token"])
        served.model.pass_time(1)
    return tokens


def on_page(served: ServedModel, number: int, work: Callable[[], object], times: int = 1) -> None:
    """Do something each time that this page is asked for, before the gateway answers."""
    left = [times]

    def strike(request: Request) -> bool:
        if request.query.get("page") == str(number) and left[0]:
            left[0] -= 1
            work()
        return False

    served.faults.append(Fault("/key/list", Reply(), when=strike))


def delete(served: ServedModel, *tokens: str) -> None:
    served.model.handle("POST", "/key/delete", {}, {"keys": list(tokens)})


# ----------------------------------------------------------------------------------------------------- others who write
@pytest.mark.parametrize("gone", [1, 2, 99, 100, 101, 150])
@pytest.mark.parametrize("page", [2, 3, 4])
def test_keys_that_others_delete_meanwhile_hide_no_other_key(served: ServedModel, api: KeyApi, warnings: list[str], page: int, gone: int) -> None:
    """Pages are counted from the newest key: each deletion before them moves a key to a page that was read before."""
    tokens = make(served, 350)
    deleted = tokens[-gone:]
    on_page(served, page, lambda: delete(served, *deleted))
    found = {row.token for row in read(api)}
    assert found >= set(tokens) - set(deleted)
    assert warnings == []


def test_keys_that_others_make_meanwhile_are_not_listed_twice(served: ServedModel, api: KeyApi) -> None:
    tokens = make(served, 250)
    on_page(served, 2, lambda: make(served, 30, "new"))
    rows = read(api)
    assert len({row.token for row in rows}) == len(rows) and {row.token for row in rows} >= set(tokens)


def test_keys_that_others_make_and_delete_meanwhile(served: ServedModel, api: KeyApi) -> None:
    tokens = make(served, 350)
    for page in (2, 3, 4):
        on_page(served, page, lambda page=page: (make(served, page, f"new-{page}"), delete(served, *tokens[-10 * page : -10 * page + 9])))
    found = {row.token for row in read(api)}
    assert found >= set(served.model.rows) - {token for token, row in served.model.rows.items() if row["key_alias"].startswith("new")}


def test_a_list_that_never_stays_the_same(served: ServedModel, api: KeyApi) -> None:
    """Before each page, one key is made and others are deleted, old ones and new ones."""
    tokens = make(served, 700)
    to_delete = iter([*tokens[600:], *tokens[:100]])
    number = itertools.count()

    def write() -> None:
        make(served, 1, f"new-{next(number)}")
        delete(served, *itertools.islice(to_delete, 7))

    for page in range(1, 8):
        on_page(served, page, write, times=90)
    found = {row.token for row in read(api)}
    assert found >= set(tokens[100:600])
    assert len(served.requests) == 7


@pytest.mark.parametrize("count", [100, 101, 198, 199, 200, 201, 250, 299, 300, 301])
def test_the_pages_of_an_unchanged_list_meet(served: ServedModel, api: KeyApi, count: int) -> None:
    tokens = make(served, count)
    assert sorted(row.token for row in read(api)) == sorted(tokens)
    assert len(served.requests) <= -(-count // 100) + (count > 100 and count % 100 in (99, 0))


@pytest.mark.parametrize("gone", [1, 2, 3, 50, 100])
@pytest.mark.parametrize("count", [201, 250, 350])
def test_new_keys_that_are_deleted_while_the_first_page_is_read(served: ServedModel, api: KeyApi, count: int, gone: int) -> None:
    """LiteLLM counts its pages after it has read one: then there is a page less than the older keys need."""
    tokens = make(served, count)
    status, answer = served.model.handle("GET", "/key/list", {"size": "100", "return_full_object": "true"}, None)
    delete(served, *tokens[-gone:])
    left = len(served.model.rows)
    reply = Reply(status=status, json={**answer, "total_count": left, "total_pages": -(-left // 100)})
    served.faults = [Fault("/key/list", reply, times=1)]
    assert {row.token for row in read(api)} >= set(served.model.rows)


@pytest.mark.parametrize("count", [100, 101, 200, 250, 300])
def test_keys_of_the_same_moment(served: ServedModel, api: KeyApi, count: int) -> None:
    """Their order differs from page to page, so the list is read in the one order that is the same on all pages."""
    served.model.tick = 0
    tokens = [served.model.handle("POST", "/key/generate", {}, {"key": f"sk-0123456789-{number:04d}"})[1]["token"] for number in range(count)]
    assert sorted(row.token for row in read(api)) == sorted(tokens)


@pytest.mark.parametrize("parameters", [["sort_by"], ["sort_by", "sort_order"]])
def test_an_order_that_the_gateway_ignores(parameters: list[str]) -> None:
    with ServedModel(LitellmModel(ignores=parameters)) as served:
        tokens = make(served, 350)
        assert sorted(row.token for row in read(api_of(served.url, []))) == sorted(tokens)


def test_an_unchanged_list_is_read_once(served: ServedModel, api: KeyApi) -> None:
    make(served, 350)
    assert len(read(api)) == 350 and len(served.requests) == 4


def test_a_key_on_two_pages_is_one_key(warnings: list[str]) -> None:
    rows = [{"token": f"{number:064x}", "key_alias": f"a{number}", "created_at": f"2026-11-29T12:00:0{9 - number}Z"} for number in range(3)]
    script = [Exchange("GET", "/key/list", reply=Reply(json={"keys": keys, "total_pages": 2, "total_count": 3})) for keys in (rows[:2], rows[::-1])]
    with ScriptedGateway(*script) as gateway:
        assert [row.alias for row in read(api_of(gateway.url, warnings))] == ["a0", "a1", "a2"]


# ------------------------------------------------------------------------------------------- filters that are not known
@pytest.mark.parametrize("parameter", ["key_hash", "user_id", "team_id", "key_alias", "expires"])
def test_a_filter_that_the_gateway_ignores_counts_all_the_same(parameter: str, warnings: list[str]) -> None:
    with ServedModel(LitellmModel(ignores=[parameter])) as served:
        make(served, 120, "other", user_id="a", team_id="b")
        make(served, 1, "old", duration="1s")
        (token,) = make(served, 1, "mine", user_id="u", team_id="t", duration="1d")
        values = {"key_hash": token, "user_id": "u", "team_id": "t", "key_alias": "mine-0000"}
        api = api_of(served.url, warnings)
        if parameter == "expires":
            assert [row.alias for row in api.keys(expires="expired")] == ["old-0000"]
            assert len(api.keys(expires="active")) == 121
        else:
            assert [row.token for row in api.keys(**{parameter: values[parameter]})] == [token]
            assert api.keys(**{parameter: "0" * 64}) == []


# ---------------------------------------------------------------------------------------------- keys that cannot be read
TOKEN = hashlib.sha256(b"odd").hexdigest()


@pytest.mark.parametrize(
    ("odd", "named"),
    [
        ({"metadata": "text"}, "virtkey-abc-odd"),
        ({"metadata": ["text"]}, "virtkey-abc-odd"),
        ({"spend": "much"}, "virtkey-abc-odd"),
        ({"expires": "soon"}, "virtkey-abc-odd"),
        ({"created_at": 7}, "virtkey-abc-odd"),
        ({"models": 7}, "virtkey-abc-odd"),
        ({"rpm_limit": "many"}, "virtkey-abc-odd"),
        ({"litellm_budget_table": "text"}, "virtkey-abc-odd"),
        ({"key_alias": 7}, f"with the id {TOKEN[:12]}..."),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_read_is_named_and_set_aside(warnings: list[str], odd: dict[str, Any], named: str) -> None:
    rows = [
        {"token": "a" * 64, "key_alias": "virtkey-abc-user1", "max_budget": 2.0},
        {"token": TOKEN, "key_alias": "virtkey-abc-odd", "user_id": "u", "max_budget": 3.0, **odd},
    ]
    with ScriptedGateway(*[Exchange("GET", "/key/list", reply=Reply(json={"keys": rows, "total_pages": 1, "total_count": 2}))] * 2) as gateway:
        api = api_of(gateway.url, warnings)
        for _time in range(2):
            found = {row.token: row for row in read(api)}
            assert [found[token].fields["max_budget"] for token in ("a" * 64, TOKEN)] == [2.0, 3.0]
            assert found[TOKEN].fields["user_id"] == "u"
    (warning,) = warnings
    assert f"The key {named} has settings that cannot be read ({next(iter(odd))})" in warning


@pytest.mark.parametrize("row", [None, "a" * 64, {}, {"token": None}, {"token": ""}, {"token": "sk-a-value-in-its-place"}], ids=str)
def test_a_row_that_is_no_key_is_no_answer_of_litellm(warnings: list[str], row: Any) -> None:
    rows = [{"token": "a" * 64, "key_alias": "a"}, row]
    with ScriptedGateway(Exchange("GET", "/key/list", reply=Reply(json={"keys": rows, "total_pages": 1, "total_count": 2}))) as gateway:
        with pytest.raises(errors.NotLitellm) as caught:
            api_of(gateway.url, warnings).keys()
    assert "sk-a-value" not in str(caught.value) and warnings == []


def test_a_lab_with_an_unreadable_key_is_deleted_whole(served: ServedModel) -> None:
    apply(served, wanted_keys("user1", "user2"))
    (row,) = served.model.with_alias("virtkey-abc-user2")
    row["metadata"] = "text"
    assert actions_of(destroy(served)) == {"user1": "deleted", "user2": "deleted"}
    assert served.model.rows == {}


def test_an_unreadable_key_of_another_lab_stops_nobody(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    make(served, 1, "virtkey-abc-d")
    (row,) = served.model.with_alias("virtkey-abc-d-0000")
    row["metadata"] = "text"
    assert not apply(served, wanted_keys("user1")).changed
    assert actions_of(destroy(served)) == {"user1": "deleted"} and len(served.model.rows) == 1
