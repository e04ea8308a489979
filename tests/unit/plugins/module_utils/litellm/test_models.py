# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Which names on a key stand for something that the gateway serves, and that the key's team may use.

tests/integration/keys/test_configured_litellm.py asks the real LiteLLM the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.models import Teams, named_among, served_models, unserved
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Exchange, Reply, ScriptedGateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.litellm.client_parts import client_of

SERVED = ["granite", "beta", "openai/*", "openai/gpt-4o", "vendor-b/small-*", "vendor.c/one"]
TEAMS = {"none": (), "star": ("*",), "all": ("all-proxy-models",), "some": ("granite", "openai/*"), "group": ("beta",)}


@pytest.fixture
def served() -> Iterator[ServedModel]:
    with ServedModel(LitellmModel(models=("granite", "mistral", "llama", "openai/*"), groups={"beta": ("mistral",)}, teams=TEAMS)) as server:
        yield server


@pytest.fixture
def client(served: ServedModel) -> Client:
    return Client(Connection(url=served.url, api_key=MASTER_KEY))


@pytest.mark.parametrize(
    "name",
    [
        "granite",
        "beta",
        "openai/*",
        "openai/anything",
        "openai/a/b",
        "gpt-4o",
        "vendor-b/small-1",
        "vendor-b/*",
        "vendor-b/small-*-x",
        "gran*",
        "*",
        "all-proxy-models",
        "all-team-models",
        "no-default-models",
    ],
)
def test_served(name: str) -> None:
    assert unserved([name], SERVED) == []


@pytest.mark.parametrize("name", ["granit", "granite2", "gpt-5", "openai", "vendor-b/large", "vendor-b/large-*", "vendor-c/one", "vendorXc/one", "x*", ""])
def test_unserved(name: str) -> None:
    assert unserved([name, name], SERVED) == [name]


def test_characters_of_other_patterns_are_nothing_special() -> None:
    assert unserved(["a[1]", "ab"], ["a[1]", "a?", "a.*"]) == ["ab"]


def test_what_is_served_is_read_completely(client: Client, served: ServedModel) -> None:
    assert served_models(client) == ["beta", "granite", "llama", "mistral", "openai/*"]
    assert served.requests[0].query == {"include_model_access_groups": "true", "return_wildcard_routes": "true"}


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": [{}]}, []])
def test_an_answer_that_is_not_a_list_of_models(answer: object) -> None:
    with ScriptedGateway(Exchange("GET", "/models", reply=Reply(json=answer))) as gateway:
        with pytest.raises(errors.NotLitellm, match="a list of models"):
            served_models(client_of(gateway.url))


def test_a_refusal_names_the_closest_and_does_not_list_thousands() -> None:
    many = [f"model-{number}" for number in range(3000)] + ["granite-3-2-8b"]
    words = named_among(["granite-3-2-8"], many)
    assert words.startswith("granite-3-2-8b, ") and words.endswith("and 2993 more") and len(words) < 200
    assert named_among(["a"], []) == "none" and named_among(["a"], ["b"]) == "b"


# ---------------------------------------------------------------------------------------------------------------- teams
@pytest.mark.parametrize(
    ("team", "wanted", "lacking"),
    [
        ("none", ["granite"], []),
        ("star", ["granite"], []),
        ("all", ["granite"], []),
        ("some", ["granite", "openai/x", "openai/*", "all-team-models", "all-proxy-models"], []),
        ("some", ["granite", "mistral", "llama"], ["mistral", "llama"]),
        ("group", ["beta", "mistral"], []),
        ("group", ["granite"], ["granite"]),
    ],
)
def test_what_a_team_lacks(client: Client, team: str, wanted: list[str], lacking: list[str]) -> None:
    assert Teams(client).lacking(team, wanted)[0] == lacking


def test_a_team_is_read_once_and_its_groups_only_if_it_matters(client: Client, served: ServedModel) -> None:
    teams = Teams(client)
    for _key in range(5):
        assert teams.exists("group") and teams.lacking("group", ["beta"])[0] == []
    assert [request.path for request in served.requests] == ["/team/info"]
    for _key in range(5):
        assert teams.lacking("group", ["granite"]) == (["granite"], ["beta", "mistral"])
    assert [request.path for request in served.requests] == ["/team/info", "/models"]
    assert not teams.exists("nobody") and not teams.exists("nobody")
    assert len(served.requests) == 3


def test_an_answer_that_is_not_a_team() -> None:
    with ScriptedGateway(Exchange("GET", "/team/info", reply=Reply(json={"team_id": "a"}))) as gateway:
        with pytest.raises(errors.NotLitellm, match="description of a team"):
            Teams(client_of(gateway.url)).lacking("a", ["granite"])
