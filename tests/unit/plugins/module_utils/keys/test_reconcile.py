# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Reconciling over HTTP with a model of LiteLLM: what is refused before writing, check mode, results and diffs."""

from __future__ import annotations

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import OnUnrecoverable, Policy
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.errors import Refused
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.served_lab import (
    EXACT,
    SECRET,
    actions_of,
    apply,
    reconciler,
    wanted_keys,
)


# ----------------------------------------------------------------------------------------------- refused before writing
def test_a_model_that_the_gateway_does_not_serve_is_refused(served: ServedModel) -> None:
    wanted = [*wanted_keys("user1"), *wanted_keys("user2", fields={"models": ["granite", "gpt-9"]})]
    with pytest.raises(Refused, match=r"nothing was changed: .* no model named gpt-9; it serves granite, llama, mistral") as caught:
        apply(served, wanted)
    assert caught.value.code == "unknown_model" and served.writes() == []
    with pytest.raises(Refused):
        apply(served, wanted, check_mode=True)
    apply(served, wanted, check_models=False)
    assert len(served.model.rows) == 2


def test_special_names_and_wildcards_count_as_models() -> None:
    with ServedModel(LitellmModel(models=("granite", "openai/*"))) as served:
        apply(served, wanted_keys("user1", fields={"models": ["all-proxy-models", "openai/gpt-9"]}))
        with pytest.raises(Refused):
            apply(served, wanted_keys("user2", fields={"models": ["anthropic/claude"]}))


def test_an_unknown_team_is_refused() -> None:
    with ServedModel(LitellmModel(teams={"blue": ()})) as served:
        with pytest.raises(Refused, match="no team red") as caught:
            apply(served, wanted_keys("user1", fields={"team_id": "red"}))
        assert caught.value.code == "unknown_team" and served.writes() == []
        apply(served, wanted_keys("user1", fields={"team_id": "blue"}))


def test_rotation_does_not_check_the_models_that_a_key_has(served: ServedModel) -> None:
    apply(served, wanted_keys("user1", fields={"models": ["granite"]}))
    served.model.models = ("mistral",)
    assert actions_of(apply(served, wanted_keys("user1", fields={}, rotation="a")))["user1"] == "rotated"
    with pytest.raises(Refused, match="no model named granite"):
        apply(served, wanted_keys("user1", rotation="b"))


def test_nothing_is_written_when_a_value_cannot_be_derived(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    served.requests.clear()
    with pytest.raises(Refused, match="virtkey-abc-user1 cannot be derived") as caught:
        apply(served, wanted_keys("user1", "user2"), secret="another secret altogether")
    assert caught.value.code == "unrecoverable" and served.writes() == []


# -------------------------------------------------------------------------------------------------- check mode, results
@pytest.mark.parametrize("exact", [True, False])
def test_check_mode_reports_what_the_real_run_does(served: ServedModel, exact: bool) -> None:
    apply(served, wanted_keys("user1", "user2", "user5"))
    wanted = [*wanted_keys("user1"), *wanted_keys("user2", rotation="a"), *wanted_keys("user3"), *wanted_keys("user4", fields={"models": ["mistral"]})]
    policy = Policy(prune=exact)
    before, calls = dict(served.model.rows), len(served.writes())
    predicted = apply(served, wanted, policy, check_mode=True)
    assert served.model.rows == before and len(served.writes()) == calls
    real = apply(served, wanted, policy)
    one, other = predicted.to_result(with_diff=True), real.to_result(with_diff=True)
    assert predicted.changed and real.changed
    deleted = [entry["alias"] for entry in one["virtual_keys"] if entry["action"] == "deleted" and entry["retired_from"]]
    assert len(deleted) == 1, "the value that is rotated away, which only a later round can delete"
    assert one["diff"] == other["diff"] and one["counts"] == other["counts"]
    entries = [sorted((entry["alias"], entry["action"]) for entry in result["virtual_keys"]) for result in (one, other)]
    assert entries[0] == entries[1]


def test_results_and_diffs_hold_no_value(served: ServedModel) -> None:
    apply(served, wanted_keys("user1", "user2"), secret=SECRET)
    outcome = apply(served, wanted_keys("user1", rotation="a"), EXACT)
    assert "sk-" not in repr(outcome.to_result(with_diff=True))
    revealed = outcome.to_result(reveal=reconciler(served).value_of)
    values = [entry.get("value") for entry in revealed["virtual_keys"]]
    assert values[0] == derive.value(SECRET, "virtkey-abc-user1", 1) and values[1:] == [None, None]


def test_keep_reports_that_a_value_is_unknown(served: ServedModel) -> None:
    served.model.handle("POST", "/key/generate", {}, {"key": "sk-made-by-hand-012345", "key_alias": "virtkey-abc-user1"})
    outcome = apply(served, wanted_keys("user1"), Policy(on_unrecoverable=OnUnrecoverable.KEEP))
    (entry,) = outcome.to_result(reveal=reconciler(served).value_of)["virtual_keys"]
    assert entry["recoverable"] is False and "value" not in entry


def test_results_keep_the_order_of_the_wanted_keys(served: ServedModel) -> None:
    apply(served, wanted_keys("user2", "user4", "user9"))
    outcome = apply(served, [*wanted_keys("user3"), *wanted_keys("user4"), *wanted_keys("user2", rotation="a"), *wanted_keys("user1")], EXACT)
    names = [(entry["user"], entry["action"]) for entry in outcome.to_result()["virtual_keys"]]
    assert names[:4] == [("user3", "created"), ("user4", "unchanged"), ("user2", "rotated"), ("user1", "created")]
    assert sorted(names[4:]) == [("user2", "deleted"), ("user9", "deleted")]
