# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Modules `model`, `credential`, `models`, `model_info` and `credential_info` on the real gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.catalogue.api import CatalogueApi, NotServed
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.catalogue.entry import Kind, model_id
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.catalogue.plan import CatalogueAction, CatalogueStep
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import Live

KEY, NEXT_KEY = "provider-key-of-no-known-shape-0001", "provider-key-of-no-known-shape-0002"
Entry = dict[str, Any]


@pytest.fixture
def catalogue(live: Live) -> Iterator[Live]:
    """`live`, without the test's models and credentials afterwards."""
    yield live
    for row in rows(live):
        live.gateway.request("POST", "/model/delete", json={"id": row["model_info"]["id"]})
    for row in live.gateway.get("/credentials")["credentials"]:
        if live.name in row["credential_name"]:
            live.gateway.request("DELETE", f"/credentials/{row['credential_name']}")


def rows(live: Live) -> list[Entry]:
    """Return LiteLLM's rows of the test's models."""
    return [row for row in live.gateway.get("/v2/model/info", size=1000)["data"] if live.name in row["model_name"]]


def params(live: Live) -> Entry:
    """Return LiteLLM's parameters of the test's only model."""
    (row,) = rows(live)
    return dict(row["litellm_params"])


def change_once(live: Live, module: str, **arguments: Any) -> Entry:
    """Run in check mode, for real, and both again without a change; check mode must agree. Return the first real result."""
    predicted = live.run_ok(module, _check=True, _diff=True, **arguments)
    before = rows(live)
    done = live.run_ok(module, _diff=True, **arguments)
    assert predictable(predicted) == predictable(done)
    again = live.run_ok(module, _check=True, **arguments), live.run_ok(module, **arguments)
    assert predicted["changed"] and done["changed"], done
    assert (predicted["diff"], predicted["counts"]) == (done["diff"], done["counts"])
    assert [each["changed"] for each in again] == [False, False], again
    assert rows(live) == rows(live) and (before != rows(live) or module == "credential")
    return done


def predictable(result: Entry) -> list[tuple[set[str], list[Any]]]:
    """Return what check mode can predict of created entries: their field names, and the values that do not come from LiteLLM."""
    made = [entry for entry in (*result["models"], *result["credentials"]) if entry["action"] == "created"]
    known = ("name", "id", "deployment", "upstream", "credential", "secrets", "access_groups", "managed", "set_name", "from_config_file", "blocked")
    return [(set(entry), [entry.get(name) for name in known]) for entry in made]


# ------------------------------------------------------------------------------------------------------------- models
OPTIONS: list[tuple[str, Any, Any, str]] = [
    ("upstream", "openai/first", "openai/second", "model"),
    ("api_base", "https://one.example.com/v1", "https://two.example.com:8443", "api_base"),
    ("api_version", "2026-01-01", "2026-02-01", "api_version"),
    ("input_cost_per_token", 2.5e-06, 0.0, "input_cost_per_token"),
    ("output_cost_per_token", 1e-05, 2e-05, "output_cost_per_token"),
    ("rpm", 10, 20, "rpm"),
    ("tpm", 1000, 0, "tpm"),
    ("request_timeout", 12.5, 30.0, "timeout"),
    ("stream_timeout", 3.0, 4.5, "stream_timeout"),
    ("max_retries", 2, 0, "max_retries"),
    ("mock_response", "one", "two", "mock_response"),
    ("litellm_params", {"weight": 1, "tags": ["a"]}, {"weight": 2, "tags": ["a", "b"]}, ""),
]


def test_every_parameter_is_set_and_changed(catalogue: Live) -> None:
    """Change all at once to save time; the diff and LiteLLM's model must show each of them."""
    for turn in (1, 2):
        model = {option[0]: option[turn] for option in OPTIONS}
        done = change_once(catalogue, "model", name=catalogue.name, **model)
        plain = {param: value for option, value in model.items() for param, value in as_params(option, value).items()}
        assert {name: params(catalogue)[name] for name in plain} == plain
        assert done["diff"]["after"][f"model {catalogue.name}"] == plain
    assert not catalogue.run_ok("model", name=catalogue.name)["changed"], "parameters that are not given stay as they are"


def as_params(option: str, value: Any) -> Entry:
    """Return an option as LiteLLM's parameters."""
    return dict(value) if option == "litellm_params" else {next(param for name, _first, _second, param in OPTIONS if name == option): value}


def test_groups_mode_pause_and_notes(catalogue: Live) -> None:
    model = {"name": catalogue.name, "upstream": "openai/x", "mode": "chat", "access_groups": ["small", "all"], "model_info": {"owner": "ann"}, "blocked": True}
    change_once(catalogue, "model", **model)
    (row,) = rows(catalogue)
    assert {name: row["model_info"][name] for name in ("mode", "access_groups", "owner", "blocked", "db_model")} == {
        "mode": "chat",
        "access_groups": ["small", "all"],
        "owner": "ann",
        "blocked": True,
        "db_model": True,
    }
    assert not catalogue.run_ok("model", **{**model, "access_groups": ["all", "small"]})["changed"], "groups have no order"
    change_once(catalogue, "model", **{**model, "mode": "completion", "access_groups": [], "model_info": {"owner": "bob"}, "blocked": False})
    (row,) = rows(catalogue)
    assert (row["model_info"]["mode"], row["model_info"]["access_groups"], row["model_info"]["owner"]) == ("completion", [], "bob")
    change_once(catalogue, "model", name=catalogue.name, state="absent", input_cost_per_token=-1)  # only the name counts
    assert rows(catalogue) == []


def test_a_price_is_removed_in_place_and_another_option_by_recreation(catalogue: Live) -> None:
    model = {"name": catalogue.name, "upstream": "openai/gpt-4o-mini", "rpm": 5, "input_cost_per_token": 0.5, "provider_key": KEY, "access_groups": ["g"]}
    made = catalogue.run_ok("model", **model)["models"][0]
    done = change_once(catalogue, "model", name=catalogue.name, unset=["input_cost_per_token"])
    assert done["counts"]["updated"] == 1 and "input_cost_per_token" not in params(catalogue)

    refused = catalogue("model", name=catalogue.name, unset=["rpm"])
    assert refused["code"] == "secret_needed" and "api_key" in refused["msg"] and params(catalogue)["rpm"] == 5
    done = change_once(catalogue, "model", name=catalogue.name, unset=["rpm"], provider_key=KEY)
    assert done["counts"]["replaced"] == 1 and done["models"][0]["id"] == made["id"]
    assert "rpm" not in params(catalogue) and rows(catalogue)[0]["model_info"]["access_groups"] == ["g"]


def test_a_change_by_hand_is_reverted_in_a_model(catalogue: Live) -> None:
    model = {"name": catalogue.name, "upstream": "openai/x", "rpm": 5, "tpm": 7}
    made = catalogue.run_ok("model", **model)["models"][0]["id"]
    answer = catalogue.gateway.request("PATCH", f"/model/{made}/update", json={"litellm_params": {"rpm": 50}})
    assert answer.ok, answer.text
    done = change_once(catalogue, "model", **model)
    assert done["diff"] == {"before": {f"model {catalogue.name}": {"rpm": 50}}, "after": {f"model {catalogue.name}": {"rpm": 5}}}
    assert params(catalogue)["rpm"] == 5


def test_a_model_answers_with_its_credential_and_price(catalogue: Live) -> None:
    catalogue.run_ok(
        "models",
        credentials=[{"name": catalogue.name, "provider": "openai", "provider_key": KEY}],
        models=[
            {
                "name": catalogue.name,
                "provider": "openai",
                "upstream": "gpt-4o-mini",
                "credential": catalogue.name,
                "mock_response": "Hello from here.",
                "input_cost_per_token": 0.25,
                "output_cost_per_token": 0.5,
            }
        ],
    )
    answer = catalogue.gateway.chat(catalogue.gateway.master_key, catalogue.name)
    assert answer.ok and answer.json()["choices"][0]["message"]["content"] == "Hello from here."
    usage = answer.json()["usage"]
    assert float(answer.headers["x-litellm-response-cost"]) == usage["prompt_tokens"] * 0.25 + usage["completion_tokens"] * 0.5


def test_deployments_of_one_name(catalogue: Live) -> None:
    pair = [{"name": catalogue.name, "deployment": side, "upstream": "openai/x", "api_base": f"https://{side}.example.com"} for side in ("east", "west")]
    done = change_once(catalogue, "models", models=pair)
    assert done["counts"]["created"] == 2 and {row["litellm_params"]["api_base"] for row in rows(catalogue)} == {
        "https://east.example.com",
        "https://west.example.com",
    }
    change_once(catalogue, "model", **{**pair[0], "api_base": "https://north.example.com"})
    change_once(catalogue, "model", name=catalogue.name, deployment="west", state="absent")
    (row,) = rows(catalogue)
    assert row["litellm_params"]["api_base"] == "https://north.example.com"
    assert catalogue("models", models=[pair[0], pair[0]])["code"] == "bad_input"


def test_an_unmanaged_model_is_taken_over_or_reported_as_a_clash(catalogue: Live, gateway: Gateway) -> None:
    foreign = gateway.post("/model/new", model_name=catalogue.name, litellm_params={"model": "openai/x"})["model_id"]
    done = change_once(catalogue, "model", name=catalogue.name, rpm=3)
    assert done["models"][0]["id"] == foreign and done["counts"]["updated"] == 1

    second = gateway.post("/model/new", model_name=catalogue.name, litellm_params={"model": "openai/y"})["model_id"]
    clash = catalogue("model", name=catalogue.name, rpm=4)
    assert clash["code"] == "name_clash" and second in clash["msg"] and "nothing was changed" in clash["msg"]
    assert catalogue.run_ok("model", name=catalogue.name, rpm=4, shares_name=True)["changed"]
    done = change_once(catalogue, "models", set_name=catalogue.name, models=[{"name": f"{catalogue.name}-own", "upstream": "openai/x"}])
    done = catalogue.run_ok("models", set_name="default", state="present", models=[{"name": catalogue.name, "shares_name": True}])
    assert not done["changed"] and len(rows(catalogue)) == 3


def test_a_model_of_the_configuration_file_stays(catalogue: Live) -> None:
    clash = catalogue("model", name=MOCK_MODELS[0], upstream="openai/x")
    assert clash["code"] == "name_clash" and "configuration file" in clash["msg"]
    absent = catalogue("model", name=MOCK_MODELS[0], state="absent")
    assert absent["code"] == "config_model" and "remove it there" in absent["msg"]


# -------------------------------------------------------------------------------------------------------- credentials
def credential(live: Live) -> Entry:
    (found,) = [row for row in live.gateway.get("/credentials")["credentials"] if row["credential_name"] == live.name]
    return dict(found)


def test_credential_is_set_rotated_and_removed(catalogue: Live) -> None:
    mine = {"name": catalogue.name, "provider": "openai", "provider_key": KEY, "api_base": "https://one.example.com/v1"}
    change_once(catalogue, "credential", **mine)
    assert credential(catalogue)["credential_values"] == {"api_key": "pr****01", "api_base": "https://one.example.com/v1"}
    rotated = change_once(catalogue, "credential", **{**mine, "provider_key": NEXT_KEY})
    assert rotated["diff"]["after"] == {f"credential {catalogue.name}": {"api_key": "******** (new)"}}
    assert credential(catalogue)["credential_values"]["api_key"] == "pr****02"
    change_once(catalogue, "credential", **{**mine, "provider_key": NEXT_KEY, "api_base": "https://two.example.com/v1", "provider": "azure"})
    change_once(catalogue, "credential", name=catalogue.name, secret_values={"region_name": "eu", "token": "abc"})
    assert credential(catalogue)["credential_values"] == {
        "api_key": "pr****02",
        "api_base": "https://two.example.com/v1",
        "region_name": "eu",
        "token": "*****",
    }
    assert catalogue("credential", name=catalogue.name, unset=["region_name"])["code"] == "secret_needed"
    change_once(catalogue, "credential", name=catalogue.name, unset=["region_name"], provider_key=NEXT_KEY, secret_values={"token": "abc"})
    assert "region_name" not in credential(catalogue)["credential_values"]
    change_once(catalogue, "credential", name=catalogue.name, state="absent")


def test_a_rotation_that_keeps_first_and_last_letters_is_seen(catalogue: Live) -> None:
    catalogue.run_ok("credential", name=catalogue.name, provider_key="ab-first-cd")
    assert change_once(catalogue, "credential", name=catalogue.name, provider_key="ab-other-cd")["changed"]


def test_a_credential_changed_by_hand_is_restored(catalogue: Live) -> None:
    mine = {"name": catalogue.name, "provider_key": KEY}
    catalogue.run_ok("credential", **mine)
    body = {"credential_name": catalogue.name, "credential_values": {"api_key": "changed-by-hand"}, "credential_info": {}}
    assert catalogue.gateway.request("PATCH", f"/credentials/{catalogue.name}", json=body).ok
    change_once(catalogue, "credential", **mine)
    assert credential(catalogue)["credential_values"]["api_key"] == "pr****01"


def test_a_credential_in_use_is_not_removed_and_an_unknown_one_is_refused(catalogue: Live) -> None:
    refused = catalogue("model", name=catalogue.name, upstream="openai/x", credential=f"{catalogue.name}-none")
    assert refused["code"] == "unknown_credential" and rows(catalogue) == []
    catalogue.run_ok(
        "models",
        credentials=[{"name": catalogue.name, "provider_key": KEY}],
        models=[{"name": catalogue.name, "upstream": "openai/x", "credential": catalogue.name}],
    )
    refused = catalogue("credential", name=catalogue.name, state="absent")
    assert refused["code"] == "in_use" and catalogue.name in refused["msg"]
    done = catalogue.run_ok("models", credentials=[{"name": catalogue.name}], models=[{"name": catalogue.name}], state="absent")
    assert done["counts"]["deleted"] == 2


# ----------------------------------------------------------------------------------------------------------- the set
def test_exact_removes_the_rest_of_the_set_only(catalogue: Live) -> None:
    def wanted(*names: str) -> Entry:
        return {
            "set_name": catalogue.name,
            "state": "exact",
            "credentials": [{"name": f"{catalogue.name}-{name}", "provider_key": KEY} for name in names],
            "models": [{"name": f"{catalogue.name}-{name}", "upstream": "openai/x", "credential": f"{catalogue.name}-{name}"} for name in names],
        }

    catalogue.run_ok("model", name=f"{catalogue.name}-elsewhere", upstream="openai/x")
    change_once(catalogue, "models", **wanted("a", "b", "c"))
    done = change_once(catalogue, "models", **wanted("a"))
    assert done["counts"] == {"created": 0, "updated": 0, "replaced": 0, "unchanged": 2, "deleted": 4}
    assert {row["model_name"] for row in rows(catalogue)} == {f"{catalogue.name}-a", f"{catalogue.name}-elsewhere"}
    taken = catalogue("model", name=f"{catalogue.name}-a", set_name="another", rpm=1)
    assert taken["code"] == "other_set" and catalogue.name in taken["msg"]
    for module in ("model", "credential"):
        spared = catalogue(module, name=f"{catalogue.name}-a", state="absent")
        assert spared["code"] == "other_set" and catalogue.name in spared["msg"]
    done = change_once(catalogue, "models", set_name=catalogue.name, state="absent")
    assert done["counts"]["deleted"] == 2 and len(rows(catalogue)) == 1


def test_calls(catalogue: Live) -> None:
    """Each list is read once before and once after, the providers once; each difference costs one write."""
    wanted = {
        "credentials": [{"name": f"{catalogue.name}-{number}", "provider_key": f"{KEY}-{number}"} for number in range(3)],
        "models": [{"name": f"{catalogue.name}-{number}", "upstream": "openai/x", "rpm": 5} for number in range(6)],
    }
    assert catalogue.run_ok("models", **wanted)["calls"] == 2 + 1 + 9 + 2
    assert catalogue.run_ok("models", **wanted)["calls"] == 2
    wanted["models"][0]["rpm"] = 6
    wanted["credentials"][0]["provider_key"] = NEXT_KEY
    assert catalogue.run_ok("models", **wanted)["calls"] == 2 + 2 + 2


# -------------------------------------------------------------------------------------------------------- information
def test_information_masks_every_secret(catalogue: Live) -> None:
    catalogue.run_ok(
        "models",
        set_name=catalogue.name,
        credentials=[{"name": catalogue.name, "provider": "openai", "provider_key": KEY, "secret_values": {"plain_looking": "hidden-value-1"}}],
        models=[
            {
                "name": catalogue.name,
                "upstream": "openai/x",
                "provider_key": NEXT_KEY,
                "secret_params": {"extra_headers": {"X-Team": "hidden-value-2"}},
                "access_groups": ["g"],
                "rpm": 5,
            }
        ],
    )
    (model,) = catalogue.run_ok("model_info", name=catalogue.name)["models"]
    assert (model["upstream"], model["params"]["rpm"], model["secrets"], model["managed"]) == ("openai/x", 5, ["api_key", "extra_headers"], True)
    (found,) = catalogue.run_ok("credential_info", name=catalogue.name)["credentials"]
    assert (found["provider"], found["params"]) == ("openai", {"api_key": "pr****01", "plain_looking": "********"})
    output = json.dumps([model, found])
    assert not any(secret in output for secret in (KEY, NEXT_KEY, "hidden-value"))
    for condition in ({"provider": "openai"}, {"access_group": "g"}, {"set_name": catalogue.name}):
        assert catalogue.name in {row["name"] for row in catalogue.run_ok("model_info", **condition)["models"]}
    assert catalogue.run_ok("model_info", set_name=catalogue.name, provider="azure")["models"] == []
    assert catalogue.run_ok("credential_info", set_name=catalogue.name, provider="azure")["credentials"] == []


def test_no_secret_in_what_ansible_prints(catalogue: Live, playbook: Playbooks, tmp_path: Any) -> None:
    """Run all modules at -vvv with a diff: successful, failing, and refused by LiteLLM, which repeats its input."""
    secret, header = "tOp-provider-secret-4711", "tOp-header-secret-4712"
    task = {"credentials": [{"name": catalogue.name, "provider_key": secret, "secret_values": {"token": header}}]}
    model = {"name": catalogue.name, "upstream": "openai/x", "provider_key": secret, "secret_params": {"extra_headers": {"X-A": header}}}
    common = {**catalogue.connection(), "secret": "a secret for fingerprints"}
    tasks: list[Entry] = [
        {"rhpds.litellm_virtual_keys.models": {**common, **task, "models": [model]}},
        {"rhpds.litellm_virtual_keys.model": {**common, **model, "litellm_params": {"use_in_pass_through": "perhaps"}}, "ignore_errors": True},
        {"rhpds.litellm_virtual_keys.credential": {**common, "name": catalogue.name, "provider_key": f"{secret}\n{header}"}, "ignore_errors": True},
        {"rhpds.litellm_virtual_keys.credential": {**common, "name": catalogue.name, "provider_key": f"{secret}-next"}},
        {"rhpds.litellm_virtual_keys.model_info": {**catalogue.connection()}},
        {"rhpds.litellm_virtual_keys.credential_info": {**catalogue.connection()}},
    ]
    book = tmp_path / "book.yml"
    book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    done = playbook(book, {}, "-vvv", "--diff")
    assert done.count("ignored") == 2 and "rejects" in done.output
    assert not any(hidden in done.output for hidden in (secret, header, catalogue.gateway.master_key))


# ----------------------------------------------------------------------------------------------------------- bad input
BAD: list[tuple[str, Entry, str, str]] = [
    ("model", {"upstream": "opnai/x"}, "unknown_provider", "did you mean openai"),
    ("model", {"upstream": "gpt-4o"}, "bad_input", "openai/gpt-4o"),
    ("model", {}, "bad_input", "give its upstream"),
    ("model", {"upstream": "openai/x", "api_base": "api.example.com"}, "bad_input", "no address"),
    ("model", {"upstream": "openai/x", "api_base": "https://me:pw-4711@example.com"}, "bad_input", "api_base holds a user name"),
    ("model", {"upstream": "openai/x", "input_cost_per_token": -0.1}, "bad_input", "0 or more"),
    ("model", {"upstream": "openai/x", "output_cost_per_token": 2.5}, "bad_input", "one token"),
    ("model", {"upstream": "openai/x", "rpm": -1}, "bad_input", "rpm is -1"),
    ("model", {"upstream": "openai/x", "request_timeout": 0}, "bad_input", "request_timeout is 0"),
    ("model", {"upstream": "openai/x", "provider_key": ""}, "bad_input", "provider_key of the model"),
    ("model", {"upstream": "openai/x", "provider_key": "pw-4711\n"}, "bad_input", "line break"),
    ("model", {"upstream": "openai/x", "litellm_params": {"extra_headers": {"Authorization": "pw-4711"}}}, "bad_input", "extra_headers.Authorization"),
    ("model", {"upstream": "openai/x", "litellm_params": {"api_base": "https://a.example.com"}}, "bad_input", "option api_base"),
    ("model", {"upstream": "openai/x", "model_info": {"team_id": "t"}}, "bad_input", "enterprise"),
    ("model", {"upstream": "openai/x", "rpm": 1, "unset": ["rpm"]}, "bad_input", "given too"),
    ("credential", {"provider_key": ""}, "bad_input", "is empty"),
    ("credential", {"provider_key": "pw-4711\nmore"}, "bad_input", "line break"),
    ("credential", {"provider_key": "pw-4711", "provider": "opnai"}, "unknown_provider", "did you mean openai"),
    ("credential", {"secret_values": {"vertex_credentials": "{pw-4711"}}, "bad_input", "like JSON"),
    ("credential", {}, "bad_input", "provider_key"),
]


@pytest.mark.parametrize(("module", "arguments", "code", "words"), BAD)
def test_bad_input_is_refused_before_anything_is_changed(catalogue: Live, module: str, arguments: Entry, code: str, words: str) -> None:
    refused = catalogue(module, name=catalogue.name, **arguments)
    assert refused["failed"] and refused["code"] == code, refused
    assert words in refused["msg"] and "4711" not in refused["msg"]
    assert rows(catalogue) == [] and catalogue.run_ok("credential_info", name=catalogue.name)["credentials"] == []


def test_a_virtual_key_changes_nothing(catalogue: Live) -> None:
    (key,) = catalogue.lab()["virtual_keys"]
    for module in ("model", "credential"):
        for state in ("present", "absent"):
            refused = catalogue(
                module, name=catalogue.name, state=state, api_key=key["value"], provider_key=KEY, **({"upstream": "openai/x"} if module == "model" else {})
            )
            assert refused["code"] == "not_admin"
    assert rows(catalogue) == []


def test_a_model_that_litellm_cannot_serve_leaves_nothing_behind(catalogue: Live) -> None:
    """Skip the checks: a model that passes them but cannot be served would otherwise stay in the database unnoticed."""
    step = CatalogueStep(Kind.MODEL, catalogue.name, catalogue.name, model_id(catalogue.name, ""), CatalogueAction.CREATE, params={"model": "nonsense/x"})
    writer = CatalogueApi(Client(Connection(catalogue.url, catalogue.gateway.master_key)))
    with pytest.raises(NotServed, match="cannot serve the model"):
        writer.write(step)
    gone = catalogue.gateway.request("POST", "/model/delete", json={"id": step.id})
    assert gone.status_code == 400 and "not found in db" in gone.text


def test_two_runs_at_once_create_one_model(catalogue: Live) -> None:
    """Both runs read the lists before either writes; the second creation of the same model and credential becomes a change."""
    writer = CatalogueApi(Client(Connection(catalogue.url, catalogue.gateway.master_key)))
    for rpm in (1, 2):
        writer.write(
            CatalogueStep(
                Kind.MODEL, catalogue.name, catalogue.name, model_id(catalogue.name, ""), CatalogueAction.CREATE, params={"model": "openai/x", "rpm": rpm}
            )
        )
        writer.write(CatalogueStep(Kind.CREDENTIAL, catalogue.name, catalogue.name, catalogue.name, CatalogueAction.CREATE, secrets={"api_key": f"{KEY}{rpm}"}))
    assert params(catalogue)["rpm"] == 2 and credential(catalogue)["credential_values"] == {"api_key": "pr****12"}
