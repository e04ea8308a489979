# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.catalogue.entry import LiveEntry, live_model
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.fleet import preflight
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.fleet.preflight import Load, ModelTrial, Needs, Reason, models_of
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Answer
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.fleet_keys import NOW, key


def deployment(name: str, *, mode: str | None = None, groups: list[str] | None = None, **rates: int) -> LiveEntry:
    row = {"model_name": name, "litellm_params": {"model": f"x/{name}", **rates}, "model_info": {"mode": mode, "access_groups": groups}}
    return live_model(row)


SERVED = models_of(
    [
        deployment("granite", rpm=60, tpm=1000),
        deployment("granite", rpm=40),
        deployment("embed", mode="embedding", groups=["small"]),
        deployment("llama", groups=["small"]),
        deployment("openai/*"),
    ]
)


def test_the_limits_of_deployments_add_up() -> None:
    assert (SERVED["granite"].rpm, SERVED["granite"].tpm) == (100, None), "one of two has no known tpm"
    assert (SERVED["granite"].mode, SERVED["embed"].mode) == ("chat", "embedding")


@pytest.mark.parametrize(
    ("own", "more", "names"),
    [
        (["granite", "llama"], {}, ["granite", "llama"]),
        (["small", "granite", "embed"], {}, ["embed", "granite", "llama"]),
        (["openai/*", "granite"], {}, ["granite"]),
        (["all-proxy-models"], {}, ["embed", "granite", "llama"]),
        ([], {}, ["embed", "granite", "llama"]),
        ([], {"team_id": "blue"}, []),
        (["all-team-models"], {}, []),
        (["no-default-models"], {}, []),
        (["gone"], {}, ["gone"]),
    ],
)
def test_which_models_a_key_is_tried_with(own: list[str], more: dict[str, Any], names: list[str]) -> None:
    assert sorted(preflight.models_for(key(models=own, **more), SERVED, [])) == sorted(names)
    assert preflight.models_for(key(models=own, **more), SERVED, ["granite"]) == ["granite"]


def test_a_wildcard_serves() -> None:
    assert preflight.known("openai/gpt", SERVED) is SERVED["openai/*"]
    assert preflight.known("gone", SERVED) is None


@pytest.mark.parametrize(
    ("row", "needs", "code"),
    [
        (key(), Needs(keys=2), "too_few_keys"),
        (key(blocked=True), Needs(), "blocked"),
        (key(ends=-1), Needs(), "expired"),
        (key(ends=2), Needs(ends=NOW + timedelta(hours=3)), "ends_early"),
        (key(max_budget=2, spend=2), Needs(), "budget"),
        (key(max_budget=2, spend=1.5), Needs(budget=1), "budget"),
    ],
)
def test_reasons_of_keys(row: LiveKey, needs: Needs, code: str) -> None:
    (reason,) = preflight.reasons_of_keys([row], needs, NOW)
    assert reason.code == code and reason.msg.endswith(".")


def test_sufficient_keys() -> None:
    rows = [key(), key(ends=None), key(max_budget=2, spend=1), key(ends=3)]
    assert preflight.reasons_of_keys(rows, Needs(keys=4, budget=1, ends=NOW + timedelta(hours=3)), NOW) == []


def load_of(found: list[Load], model: str, rate: str) -> Load:
    return next(load for load in found if (load.model, load.rate) == (model, rate))


def test_the_worst_case_is_summed_up() -> None:
    rows = [key(user="a", rpm_limit=60), key(user="b", rpm_limit=50), key(user="c", rpm_limit=10), key(user="d")]
    of_key = {row.alias: (["granite", "llama"] if "c" not in row.alias[-1:] else ["llama"]) for row in rows}
    found = preflight.loads(rows, of_key, SERVED, Needs(capacity={"*": {"rpm": 200}, "llama": {"tpm": 5}}))
    assert load_of(found, "granite", "rpm") == Load("granite", "rpm", 110, 100, 3, 1)
    assert load_of(found, "llama", "rpm") == Load("llama", "rpm", 120, None, 4, 1)
    assert load_of(found, "*", "rpm") == Load("*", "rpm", 120, 200, 4, 1)
    assert not [load for load in found if (load.model, load.rate) == ("*", "tpm")]
    (reason,) = preflight.reasons_of_loads(found)
    assert (reason.code, reason.model) == ("capacity", "granite")
    assert "3 keys may ask granite for 110 requests a minute, and it bears 100; lower rpm_limit to 33 a key" in reason.msg
    doubts = preflight.doubts(found, [])
    assert len(doubts) == 3 and "rpm_per_key" in doubts[0] and "tpm_per_key" in doubts[1]


def test_the_assumed_load_of_a_key_without_a_limit() -> None:
    rows = [key(user="a", rpm_limit=0), key(user="b")]
    found = preflight.loads(rows, {row.alias: ["granite"] for row in rows}, SERVED, Needs(per_key={"rpm": 101}, capacity={"granite": {"rpm": 100}}))
    assert load_of(found, "granite", "rpm") == Load("granite", "rpm", 101, 100, 2, 0)
    assert [reason.code for reason in preflight.reasons_of_loads(found)] == ["capacity"]


def test_a_budget_on_models_without_a_price_is_doubtful() -> None:
    rows = [key(user="a", max_budget=2), key(user="b")]
    of_key = {rows[0].alias: ["granite", "openai/*", "gone"], rows[1].alias: ["llama"]}
    (doubt,) = preflight.doubts_of_budgets(rows, of_key, SERVED)
    assert "no price of granite and counts" in doubt
    assert preflight.doubts_of_budgets(rows[1:], of_key, SERVED) == []


@pytest.mark.parametrize(("more", "end"), [(0, "the second."), (1, "the second. And 1 more reason."), (2, "the second. And 2 more reasons.")])
def test_the_first_reason_is_named_and_the_others_are_counted(more: int, end: str) -> None:
    assert preflight.no_go([Reason("budget", "the second."), *[Reason("blocked", "another.")] * more]) == f"no-go: {end}"


def test_trials() -> None:
    trials = [
        ModelTrial("a", "granite", Answer(200, "", 0.5)),
        ModelTrial("b", "granite", Answer(200, "", 1.5)),
        ModelTrial("c", "granite", Answer(429, "Rate limit exceeded", 9)),
        ModelTrial("a", "whisper", None),
    ]
    (reason,) = preflight.reasons_of_trials(trials)
    assert (reason.code, reason.alias, reason.model) == ("call_failed", "c", "granite")
    assert "HTTP 429: Rate limit exceeded" in reason.msg
    assert preflight.times(trials) == {"granite": {"tried": 3, "well": 2, "median_seconds": 1.0, "longest_seconds": 1.5}}
    assert preflight.doubts([], trials) == ["there is no small call for whisper, so it was not tried."]
