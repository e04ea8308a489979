# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A LiteLLM as an admin may configure it: wildcards, access groups, teams, a header of its own for keys, and a hook with rules for new keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.models import Teams, served_models, unserved
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MODEL_REFUSED, ON_THE_PINNED_RELEASE, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.litellm_process import LitellmProcess, mock_model, running_litellm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import Live
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel

HEADER = "X-Litellm-Key"
GROUPS = {"beta": ("granite",), "nightly": ("vendor-b/*",)}
MODELS = ("granite", "mistral", "openai/*", "vendor-b/*", "hosted_vllm/*")
HOOK = """
async def check(data):
    if (data.metadata or {}).get("owner") == "nobody":
        return {"decision": False, "message": "Budget code missing; ask finance@example.com for one."}
    return {"decision": True}
"""


@pytest.fixture(scope="module")
def ruled(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LitellmProcess]:
    """The LiteLLM with rules. It shares the database of the shared gateway, which sees its keys, too."""
    folder = tmp_path_factory.mktemp("ruled")
    (folder / "own_rules.py").write_text(HOOK)
    models = [mock_model(name, *(group for group, members in GROUPS.items() if name in members)) for name in MODELS]
    settings = {"litellm_key_header_name": HEADER, "custom_key_generate": "own_rules.check"}
    with running_litellm(gateway, folder, database=True, settings=settings, models=models) as litellm:
        yield litellm


class Ruled(Live):
    """Runs modules against the LiteLLM with rules."""

    def __init__(self, gateway: Gateway, name: str, litellm: LitellmProcess) -> None:
        super().__init__(gateway, name)
        self.url = litellm.url

    def connection(self, **more: Any) -> dict[str, Any]:
        return super().connection(**{"key_header_name": HEADER, **more})

    def ask(self, method: str, path: str, key: str = "", **options: Any) -> requests.Response:
        return requests.request(method, self.url + path, headers={HEADER: f"Bearer {key or self.gateway.master_key}"}, timeout=30, **options)

    def post(self, path: str, **body: Any) -> Any:
        answer = self.ask("POST", path, json=body)
        assert answer.ok, answer.text
        return answer.json()

    def call(self, key: str, model: str) -> requests.Response:
        """Call a model with a virtual key."""
        body = {"model": model, "messages": [{"role": "user", "content": "Say hello."}]}
        return self.ask("POST", "/v1/chat/completions", key, json=body)

    def team(self, name: str, *models: str) -> str:
        team_id = f"{self.name}-{name}"
        self.post("/team/new", team_id=team_id, models=list(models))
        return team_id

    def refused(self, code: str, *words: str, **arguments: Any) -> None:
        """Check that these keys are refused before anything is written."""
        result = self("virtual_keys", guid=self.name, keys=[{"user": "refused"}], duration="1d", **arguments)
        assert result.get("failed") and result["code"] == code and not result["changed"], result
        for word in words:
            assert word in result["msg"], result["msg"]
        assert self.alias("refused") not in self.rows


@pytest.fixture
def live(gateway: Gateway, ruled: LitellmProcess, unique: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ruled]:
    for name in ("LITELLM_BASE_URL", "LITELLM_MASTER_KEY", "LITELLM_API_KEY", "LITELLM_DERIVATION_SECRET", "LITELLM_KEY_HEADER_NAME"):
        monkeypatch.delenv(name, raising=False)
    live = Ruled(gateway, unique, ruled)
    yield live
    live.clean()


@pytest.fixture
def client(ruled: LitellmProcess) -> Iterator[Client]:
    client = Client(Connection(url=ruled.url, api_key=ruled.master_key, key_header_name=HEADER, retry_delay=0.2))
    yield client
    client.close()


# --------------------------------------------------------------------------------------------------------------- models
def test_wildcards_and_access_groups_are_listed(live: Ruled) -> None:
    result = call_module("gateway_info", live.connection())
    assert {*MODELS, *GROUPS} <= set(result["models"])


@pytest.mark.parametrize(
    ("models", "called"),
    [
        (["openai/*"], "openai/some-new-model"),
        (["openai/some-new-model"], "openai/some-new-model"),
        (["hosted_vllm/my-own"], "hosted_vllm/my-own"),
        (["vendor-b/small-*"], "vendor-b/small-1"),
        (["beta"], "granite"),
        (["gran*"], "granite"),
        (["gpt-4o"], "gpt-4o"),
        (["all-proxy-models"], "mistral"),
    ],
    ids=str,
)
def test_what_litellm_serves_is_accepted(live: Ruled, models: list[str], called: str) -> None:
    (key,) = live.run_ok("virtual_keys", guid=live.name, keys=[{}], models=models, duration="1d")["virtual_keys"]
    assert live.call(key["value"], called).ok


@pytest.mark.parametrize("model", ["vendor-c/one", "vendor-c/*", "granit", "gpt-9-of-nobody", "openai"])
def test_what_litellm_does_not_serve_is_refused(live: Ruled, model: str) -> None:
    assert not live.call(live.gateway.master_key, model).ok
    live.refused("unknown_model", model, "it serves", models=[model])


# ---------------------------------------------------------------------------------------------------------------- teams
@pytest.mark.parametrize(
    ("team", "models", "called"),
    [
        (["granite"], ["granite"], "granite"),
        (["granite"], ["all-team-models"], "granite"),
        (["beta"], ["granite"], "granite"),
        (["beta"], ["beta"], "granite"),
        (["openai/*"], ["openai/some-new-model"], "openai/some-new-model"),
        ([], ["mistral"], "mistral"),
        (["all-proxy-models"], ["mistral"], "mistral"),
        (["granite"], ["all-proxy-models"], "granite"),
    ],
    ids=str,
)
def test_models_that_the_team_has_are_accepted(live: Ruled, team: list[str], models: list[str], called: str) -> None:
    team_id = live.team("a", *team)
    (key,) = live.run_ok("virtual_keys", guid=live.name, keys=[{}], models=models, team_id=team_id, duration="1d")["virtual_keys"]
    assert live.call(key["value"], called).ok


@pytest.mark.parametrize(("team", "models"), [(["granite"], ["granite", "mistral"]), (["beta"], ["mistral"]), (["openai/*"], ["hosted_vllm/my-own"])], ids=str)
def test_models_that_the_team_has_not_are_refused(live: Ruled, team: list[str], models: list[str]) -> None:
    team_id = live.team("a", *team)
    live.refused("model_not_in_team", team_id, models[-1], team[0], models=models, team_id=team_id)
    (key,) = live.run_ok("virtual_keys", guid=live.name, keys=[{}], models=models, team_id=team_id, duration="1d", check_models=False)["virtual_keys"]
    answer = live.call(key["value"], models[-1])
    assert answer.status_code == MODEL_REFUSED and "team_model_access_denied" in answer.text, "which is what the refusal spares the user"


def test_all_team_models_without_a_team_mean_every_model_to_litellm(live: Ruled) -> None:
    live.refused("no_team", "all-team-models", "every model", models=["all-team-models"])
    (key,) = live.run_ok("virtual_keys", guid=live.name, keys=[{}], models=["all-team-models"], duration="1d", check_models=False)["virtual_keys"]
    assert live.call(key["value"], "mistral").ok


def test_a_team_that_lacks_the_models_of_an_existing_key_is_refused(live: Ruled) -> None:
    live.run_ok("virtual_keys", guid=live.name, keys=[{}], models=["mistral"], duration="1d")
    team_id = live.team("a", "granite")
    for arguments in ({"keys": [{}]}, {}):
        result = live("virtual_keys", guid=live.name, team_id=team_id, **arguments)
        assert result["code"] == "model_not_in_team" and not result["changed"], result
    assert live.rows[live.alias()]["team_id"] is None


# ---------------------------------------------------------------------------------------------------- rules of the admin
def test_the_words_of_the_admins_own_rule_come_first(live: Ruled) -> None:
    result = live("virtual_keys", guid=live.name, keys=[{}], models=["granite"], duration="1d", metadata={"owner": "nobody"}, retries=0)
    assert result["code"] == "forbidden" and not result["changed"]
    assert result["msg"].startswith("Budget code missing; ask finance@example.com for one (") and "master key" not in result["msg"]


def test_a_user_who_is_not_in_the_team_is_named(live: Ruled) -> None:
    live.run_ok("virtual_keys", guid=live.name, keys=[{"user_id": f"{live.name}-ada"}], models=["granite"], duration="1d")
    before = live.rows[live.alias()]
    team_id = live.team("a", "granite")
    result = live("virtual_keys", guid=live.name, keys=[{}], team_id=team_id)
    assert result["code"] == "forbidden" and not result["changed"], result
    assert f"User={live.name}-ada is not a member of the team={team_id}" in result["msg"] and "add the user to the team, or rotate the key" in result["msg"]
    assert "master key" not in result["msg"] and live.rows[live.alias()] == before
    rotated = live.run_ok("virtual_keys", guid=live.name, keys=[{"user_id": f"{live.name}-ada"}], team_id=team_id, rotation="a")
    assert rotated["counts"]["rotated"] == 1 and live.rows[live.alias()]["team_id"] == team_id
    assert live.call(rotated["virtual_keys"][0]["value"], "granite").ok


# --------------------------------------------------------------------------------------------------------------- header
def test_without_the_header_nothing_is_taken_for_a_refusal_of_the_key(live: Ruled) -> None:
    result = live("virtual_keys", guid=live.name, keys=[{}], models=["granite"], key_header_name="Authorization")
    assert result["code"] == "unauthorized" and "found no API key in the header Authorization" in result["msg"] and "key_header_name" in result["msg"]


def test_a_lab_lives_and_is_proven_dead_with_the_header(live: Ruled) -> None:
    made = live.run_ok("virtual_keys", guid=live.name, keys=[{"user": "user1"}, {"user": "user2"}], models=["granite"], duration="1d")
    assert all(live.call(key["value"], "granite").ok for key in made["virtual_keys"])
    gone = live.run_ok("virtual_keys", guid=live.name, state="absent")
    assert gone["revocation"]["proven"] == [live.alias("user1"), live.alias("user2")]
    assert [live.call(key["value"], "granite").status_code for key in made["virtual_keys"]] == [401, 401]


# ------------------------------------------------------------------------------------------- the model in the unit tests
@ON_THE_PINNED_RELEASE
def test_the_model_of_the_unit_tests_understands_models_alike(live: Ruled, client: Client) -> None:
    """The same questions to the real LiteLLM and to the model. Only LiteLLM knows which models a provider has, so these are left out."""
    teams = {"none": [], "one": ["granite"], "group": ["nightly", "mistral"], "wild": ["openai/*"], "all": ["all-proxy-models"]}
    ids = {live.team(name, *models): models for name, models in teams.items()}
    named = {*MODELS, *GROUPS}
    with ServedModel(LitellmModel(models=MODELS, groups=GROUPS, teams=ids)) as served:
        other = Client(Connection(url=served.url, api_key=MASTER_KEY))
        for team in ({}, *({"team_id": team_id} for team_id in ids)):
            assert named & set(served_models(client, **team)) == named & set(served_models(other, **team)), team
        for query in ({}, {"return_wildcard_routes": "true"}, {"include_model_access_groups": "true"}, {"team_id": f"{live.name}-group"}):
            found = [{model["id"] for model in each.get("/models", query)["data"]} & named for each in (client, other)]
            assert found[0] == found[1], query
        for team_id in ids:
            for wanted in (["granite"], ["mistral"], ["nightly"], ["vendor-b/x"], ["openai/x"], ["all-team-models"]):
                assert Teams(client).lacking(team_id, wanted)[0] == Teams(other).lacking(team_id, wanted)[0], (team_id, wanted)
        for wanted in (["granite"], ["vendor-b/x"], ["vendor-c/x"], ["beta"], ["gran*"], ["x*"]):
            assert unserved(wanted, served_models(client)) == unserved(wanted, served_models(other)), wanted
        assert not Teams(client).exists("nobody") and not Teams(other).exists("nobody")
        other.close()
