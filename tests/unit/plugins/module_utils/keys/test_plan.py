# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Plans, carried out on a model of LiteLLM: single cases first, then random lives of a lab."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations, names
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey, Notes, WantedKey, normal
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.lab import Lab
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.orphan import ORPHAN, OrphanMark
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import (
    EXPIRY_TOLERANCE,
    KeyAction,
    KeyPlan,
    OnUnrecoverable,
    Policy,
    plan_key_deletion,
    plan_key_updates,
    plan_keys,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import START, LitellmModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

SECRET = "the secret of these tests"
LAB = Lab(guid="abc", alias="virtkey-abc")
DAY = 86_400
PRESENT = Policy()


@cache
def value_of(alias: str, generation: int) -> str:
    return derive.value(SECRET, alias, generation)


def rows_of(model: LitellmModel) -> list[LiveKey]:
    _status, answer = model.handle("GET", "/key/list", {"return_full_object": "true", "size": "100"}, None)
    return [LiveKey.from_row(row) for row in answer["keys"]]


def row_of(model: LitellmModel, alias: str) -> LiveKey:
    (row,) = [row for row in rows_of(model) if row.alias == alias]
    return row


def want(user: str = "", **options: Any) -> WantedKey:
    """A wanted key of the lab."""
    return WantedKey(alias=names.user_alias(LAB.alias, user), lab=LAB.alias, guid=LAB.guid, user=user, **options)


def plan_for(
    model: LitellmModel,
    wanted: Sequence[WantedKey],
    policy: Policy = PRESENT,
    secret: Callable[[str, int], str] = value_of,
) -> KeyPlan:
    aliases = {each.alias for each in wanted}
    live = [row for row in rows_of(model) if row.served_alias in aliases or LAB.is_under_alias(row)]
    return plan_keys(wanted, live, value_of=secret, now=model.now, policy=policy, is_member=LAB.is_under_alias)


def carry_out(
    model: LitellmModel,
    plan: KeyPlan,
    secret: Callable[[str, int], str] = value_of,
    cut: Callable[[str], int] = lambda _alias: 9,
    delete: bool = True,
) -> None:
    """Make the calls of a plan. `cut` says how many calls of an alias get through, before the run is killed."""
    for key in plan.steps:
        for call in key.calls[: cut(key.alias)]:
            body = {**call.payload, **({"key": secret(*call.mint)} if call.mint else {})}
            status, answer = model.handle("POST", call.path, {}, body)
            assert status == 200, answer
    if plan.to_delete and delete:
        status, answer = model.handle("POST", "/key/delete", {}, {"keys": [row.token for row in plan.to_delete]})
        assert status == 200, answer


def converge(
    model: LitellmModel,
    wanted: Sequence[WantedKey],
    policy: Policy = PRESENT,
    secret: Callable[[str, int], str] = value_of,
) -> list[KeyPlan]:
    """KeyPlan and carry out until nothing is left to do, which takes three rounds at most. Returns the plans."""
    plans = []
    for _round in range(3):
        plans.append(plan_for(model, wanted, policy, secret))
        assert not plans[-1].blockers, plans[-1].blockers
        if not plans[-1].changed:
            return plans
        carry_out(model, plans[-1], secret)
    last = plan_for(model, wanted, policy, secret)
    assert not last.changed, [(key.alias, key.action, key.calls) for key in last.steps]
    return plans


def actions(plan: KeyPlan) -> dict[str, KeyAction]:
    return {key.alias: key.action for key in plan.steps}


def make(model: LitellmModel, alias: str, value: str = "", **body: Any) -> str:
    """A key that somebody made by hand, by its value."""
    value = value or f"sk-by-hand-{len(model.rows):06d}-{alias}"
    status, answer = model.handle("POST", "/key/generate", {}, {"key": value, "key_alias": alias, **body})
    assert status == 200, answer
    return value


# --------------------------------------------------------------------------------------------------- create and keep
def test_what_is_missing_is_created_and_then_kept() -> None:
    model = LitellmModel()
    wanted = [want("user1", fields={"models": ["granite"], "max_budget": 5}, lifetime=DAY, metadata={"owner": "a@b"})]
    first, second = converge(model, wanted)
    assert actions(first) == {"virtkey-abc-user1": KeyAction.CREATE}
    assert actions(second) == {"virtkey-abc-user1": KeyAction.KEEP}
    row = row_of(model, "virtkey-abc-user1")
    assert row.token == derive.token(value_of("virtkey-abc-user1", 0))
    assert row.expires == START + timedelta(days=1)
    assert row.fields["max_budget"] == 5.0
    assert row.metadata["owner"] == "a@b"


def test_a_plan_holds_no_value() -> None:
    model = LitellmModel()
    converge(model, [want("user1")])
    plan = plan_for(model, [want("user1", rotation="a"), want("user2")])
    assert "sk-" not in repr(plan)
    assert [call.mint for key in plan.steps for call in key.calls if call.path == "/key/generate"] == [
        ("virtkey-abc-user1", 1),
        ("virtkey-abc-user2", 0),
    ]


def test_what_nobody_asked_for_stays() -> None:
    model = LitellmModel()
    converge(model, [want("user1", fields={"max_budget": 5, "models": ["granite"]}, metadata={"owner": "a"}, lifetime=DAY)])
    before = row_of(model, "virtkey-abc-user1")
    plans = converge(model, [want("user1", fields={"rpm_limit": 3}, metadata={"room": "7"})])
    after = row_of(model, "virtkey-abc-user1")
    assert actions(plans[0]) == {"virtkey-abc-user1": KeyAction.UPDATE}
    assert plans[0].steps[0].calls[0].payload.keys() == {"key", "rpm_limit", "metadata"}
    assert after.fields == {**before.fields, "rpm_limit": 3}
    assert after.metadata == {**before.metadata, "room": "7"}, "LiteLLM replaces metadata, so all of it goes along"
    assert after.expires == before.expires


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("again", [{}, {"rotation": "a"}])
def test_a_lab_that_the_reaper_took_for_dead_works_again_unless_somebody_had_stopped_it(stopped: bool, again: dict[str, Any]) -> None:
    model = LitellmModel()
    (plan, _kept) = converge(model, [want("user1", lifetime=DAY)])
    token = derive.token(value_of("virtkey-abc-user1", 0))
    note = OrphanMark("2026-01-01T00:00:00Z", stopped).to_metadata()
    metadata = {**plan.steps[0].calls[0].payload["metadata"], ORPHAN: note}
    model.handle("POST", "/key/update", {}, {"key": token, "blocked": True, "metadata": metadata})
    converge(model, [want("user1", lifetime=DAY, **again)])
    row = row_of(model, "virtkey-abc-user1")
    assert bool(row.fields["blocked"]) is stopped and ORPHAN not in row.metadata
    assert row.generation == len(again)


def test_none_removes() -> None:
    model = LitellmModel()
    converge(model, [want("user1", fields={"max_budget": 5.0}, metadata={"owner": "a"})])
    converge(model, [want("user1", fields={"max_budget": None}, metadata={"owner": None})])
    row = row_of(model, "virtkey-abc-user1")
    assert row.fields["max_budget"] is None and "owner" not in row.metadata


def test_zero_is_a_limit() -> None:
    model = LitellmModel()
    converge(model, [want("user1", fields={"max_budget": 0.0, "rpm_limit": 0})])
    assert plan_for(model, [want("user1", fields={"max_budget": 0.0, "rpm_limit": 0})]).changed is False
    plan = plan_for(model, [want("user1", fields={"max_budget": None, "rpm_limit": None})])
    assert plan.steps[0].before["max_budget"] == 0.0 and plan.steps[0].before["rpm_limit"] == 0, "the diff tells"


# ------------------------------------------------------------------------------------------------------- prune, exact
def test_present_leaves_the_others_and_exact_does_not() -> None:
    model = LitellmModel()
    converge(model, [want("user1"), want("user2")])
    assert not plan_for(model, [want("user1")]).changed
    (plan, _again) = converge(model, [want("user1")], Policy(prune=True))
    assert actions(plan) == {"virtkey-abc-user1": KeyAction.KEEP, "virtkey-abc-user2": KeyAction.DELETE}
    assert [row.alias for row in rows_of(model)] == ["virtkey-abc-user1"]


def test_exact_takes_the_former_values_of_a_user_along() -> None:
    model = LitellmModel()
    converge(model, [want("user1"), want("user2")])
    converge(model, [want("user1"), want("user2", rotation="a")], Policy(grace=DAY))
    assert len(rows_of(model)) == 3
    converge(model, [want("user1")], Policy(prune=True))
    assert [row.alias for row in rows_of(model)] == ["virtkey-abc-user1"]


def test_two_labs_of_which_one_is_named_like_a_user_of_the_other() -> None:
    model = LitellmModel()
    other = Lab(guid="abc-user1", alias="virtkey-abc-user1")
    theirs = WantedKey("virtkey-abc-user1", lab=other.alias, guid=other.guid)
    converge(model, [theirs])
    before = dict(model.rows)
    plan = plan_for(model, [want("user1"), want("user2")], Policy(prune=True, on_unrecoverable=OnUnrecoverable.ROTATE))
    (blocker,) = plan.blockers
    assert blocker.action is KeyAction.CONFLICT and not blocker.calls
    assert "virtkey-abc-user1" in blocker.reason and "abc-user1" in blocker.reason
    converge(model, [want("user2")], Policy(prune=True))
    assert {token: model.rows[token] for token in before} == before
    assert not other.is_under_alias(row_of(model, "virtkey-abc-user2")) and not LAB.is_under_alias(row_of(model, "virtkey-abc-user1"))


def test_a_key_of_another_lab_is_not_taken_over_while_it_is_being_rotated() -> None:
    model = LitellmModel()
    theirs = WantedKey("virtkey-abc-user1", lab="virtkey-abc-user1", guid="abc-user1")
    converge(model, [theirs])
    cut_off = plan_for(model, [replace(theirs, rotation="a")], Policy(grace=DAY))
    carry_out(model, cut_off, cut=lambda _alias: 1)
    assert [row.alias for row in rows_of(model)] != ["virtkey-abc-user1"]
    plan = plan_for(model, [want("user1")])
    assert [key.action for key in plan.blockers] == [KeyAction.CONFLICT]


def test_a_key_of_release_132_of_another_lab_is_not_taken_over() -> None:
    model = LitellmModel()
    make(model, "virtkey-abc-user1", metadata={"guid": "abc-user1"})
    plan = plan_for(model, [want("user1")], Policy(on_unrecoverable=OnUnrecoverable.ROTATE))
    assert [key.action for key in plan.blockers] == [KeyAction.CONFLICT]


def test_two_sets_with_one_guid_do_not_take_each_others_keys() -> None:
    model = LitellmModel()
    tenant = WantedKey("virtkey-abc-t1-user1", lab="virtkey-abc-t1", guid="abc", user="user1")
    converge(model, [tenant])
    plan = plan_for(model, [want("t1-user1")])
    assert [key.action for key in plan.blockers] == [KeyAction.CONFLICT]


# ------------------------------------------------------------------------------------------------------------- expiry
def test_running_again_leaves_the_end_alone() -> None:
    model = LitellmModel()
    converge(model, [want("user1", lifetime=30 * DAY)])
    end = row_of(model, "virtkey-abc-user1").expires
    model.pass_time(3600)
    assert not plan_for(model, [want("user1", lifetime=7 * DAY)]).changed
    assert not plan_for(model, [want("user1", lifetime=90 * DAY)]).changed
    assert row_of(model, "virtkey-abc-user1").expires == end


def test_an_expired_key_gets_its_lifetime_again() -> None:
    model = LitellmModel()
    converge(model, [want("user1", lifetime=DAY)])
    model.pass_time(2 * DAY)
    converge(model, [want("user1", lifetime=DAY)])
    assert row_of(model, "virtkey-abc-user1").expires == model.now + timedelta(days=1)


def test_an_expired_key_stays_so_when_nobody_gives_a_lifetime() -> None:
    model = LitellmModel()
    converge(model, [want("user1", lifetime=DAY)])
    model.pass_time(2 * DAY)
    assert not plan_for(model, [want("user1")]).changed


def test_an_expired_key_lives_for_ever_when_somebody_says_so() -> None:
    model = LitellmModel()
    converge(model, [want("user1", lifetime=DAY)])
    model.pass_time(2 * DAY)
    converge(model, [want("user1", endless=True)])
    assert row_of(model, "virtkey-abc-user1").expires is None


def test_rotation_does_not_revive_an_expired_key() -> None:
    model = LitellmModel()
    converge(model, [want("user1", lifetime=DAY)])
    model.pass_time(2 * DAY)
    converge(model, [want("user1", rotation="a")])
    row = row_of(model, "virtkey-abc-user1")
    assert row.generation == 1
    assert row.expires is not None and row.expires <= model.now + timedelta(seconds=1)


@given(
    lived=st.integers(0, 40 * DAY),
    lifetime=st.one_of(st.none(), st.integers(60, 30 * DAY)),
    ahead=st.integers(-DAY, 60 * DAY),
)
def test_extension_never_shortens(lived: int, lifetime: int | None, ahead: int) -> None:
    model = LitellmModel()
    converge(model, [want("user1", lifetime=lifetime)])
    before = row_of(model, "virtkey-abc-user1").expires
    model.pass_time(lived)
    until = model.now + timedelta(seconds=ahead)
    rows = [row for row in rows_of(model) if LAB.is_under_alias(row)]
    plan = plan_key_updates(rows, lambda _row: want("user1", expires_by=until), value_of=value_of, now=model.now)
    carry_out(model, plan)
    after = row_of(model, "virtkey-abc-user1").expires
    if before is None:
        assert after is None
    else:
        assert after is not None and after >= before
        assert after == before or timedelta(0) <= after - until <= timedelta(seconds=1) or ahead < 1
        assert after + EXPIRY_TOLERANCE >= min(until, after + EXPIRY_TOLERANCE)
        assert after >= until - EXPIRY_TOLERANCE
    again = plan_key_updates(rows_of(model), lambda _row: want("user1", expires_by=until), value_of=value_of, now=model.now)
    assert not again.changed


def test_extension_leaves_the_dead_value_dead() -> None:
    """An extension of the lab, as its module makes it, does not concern values that were rotated away."""
    model = LitellmModel()
    converge(model, [want("user1", lifetime=DAY)])
    converge(model, [want("user1", lifetime=DAY, rotation="a")], Policy(grace=3600))
    model.pass_time(2 * 3600)
    assert not model.works(value_of("virtkey-abc-user1", 0))
    converge(model, [want("user1", expires_by=model.now + timedelta(days=9))])
    assert not model.works(value_of("virtkey-abc-user1", 0))


# ----------------------------------------------------------------------------------------------------------- rotation
def test_rotation_keeps_what_the_key_had() -> None:
    model = LitellmModel()
    fields = {
        "models": ["granite"],
        "max_budget": 0.0,
        "soft_budget": 2.0,
        "budget_duration": "30d",
        "rpm_limit": 0,
        "tpm_limit": 7,
        "max_parallel_requests": 2,
        "allowed_routes": ["llm_api_routes"],
        "user_id": "u",
        "team_id": "t",
        "blocked": True,
    }
    converge(model, [want("user1", fields=fields, lifetime=DAY, metadata={"owner": "a"}, package="p")])
    next(iter(model.rows.values()))["spend"] = 1.25
    before = row_of(model, "virtkey-abc-user1")
    model.pass_time(3600)
    converge(model, [want("user1", rotation="a")])
    after = row_of(model, "virtkey-abc-user1")
    assert after.token == derive.token(value_of("virtkey-abc-user1", 1))
    assert after.fields == before.fields
    assert after.spend == 1.25
    assert after.expires == before.expires
    assert after.notes == replace(before.notes or Notes(), generation=1, rotation="a")
    assert after.metadata["owner"] == "a"


def test_rotation_without_grace_ends_the_old_value_and_with_grace_lets_it_live() -> None:
    old, new = value_of("virtkey-abc-user1", 0), value_of("virtkey-abc-user1", 1)
    for grace in (0, 3600):
        model = LitellmModel()
        converge(model, [want("user1", lifetime=DAY)])
        converge(model, [want("user1", lifetime=DAY, rotation="a")], Policy(grace=grace))
        assert model.works(new)
        assert model.works(old) == bool(grace)
        model.pass_time(grace)
        assert not model.works(old)
        assert model.works(new)
        converge(model, [want("user1", lifetime=DAY, rotation="a")])
        assert [row.alias for row in rows_of(model)] == ["virtkey-abc-user1"]


def test_grace_does_not_prolong_a_life() -> None:
    model = LitellmModel()
    converge(model, [want("user1", lifetime=600)])
    converge(model, [want("user1", rotation="a")], Policy(grace=3600))
    model.pass_time(601)
    assert not model.works(value_of("virtkey-abc-user1", 0))


def test_one_label_rotates_once() -> None:
    model = LitellmModel()
    converge(model, [want("user1", rotation="a")])
    assert row_of(model, "virtkey-abc-user1").generation == 0, "a new key has never been anybody else's"
    for label, generation in (("a", 0), ("b", 1), ("b", 1), ("a", 2)):
        converge(model, [want("user1", rotation=label)])
        assert row_of(model, "virtkey-abc-user1").generation == generation
    assert not plan_for(model, [want("user1")]).changed, "no label asks for nothing"


def test_an_old_value_goes_only_when_the_new_one_has_been_seen() -> None:
    model = LitellmModel()
    converge(model, [want("user1")])
    carry_out(model, plan_for(model, [want("user1", rotation="a")]), cut=lambda _alias: 1, delete=False)
    plan = plan_for(model, [want("user1", rotation="a")])
    assert actions(plan) == {"virtkey-abc-user1": KeyAction.CREATE} and not plan.to_delete
    carry_out(model, plan)
    assert [row.generation for row in plan_for(model, [want("user1", rotation="a")]).to_delete] == [0]


@pytest.mark.parametrize("grace", [0, 3600])
@pytest.mark.parametrize("cuts", list(itertools.product((0, 1, 2), (0, 1, 2))))
@pytest.mark.parametrize("then", ["same", "plain"])
def test_a_rotation_killed_between_any_two_calls_is_finished_by_the_next_run(grace: int, cuts: tuple[int, int], then: str) -> None:
    model = LitellmModel()
    users = ["user1", "user2"]
    converge(model, [want(user, lifetime=DAY, fields={"max_budget": 5.0}) for user in users])
    rotate = [want(user, rotation="a") for user in users]
    plan = plan_for(model, rotate, Policy(grace=grace))
    through = dict(zip((key.alias for key in plan.steps), cuts, strict=True))
    carry_out(model, plan, cut=through.__getitem__, delete=False)
    for user in users:  # at no time is a user without a key that works
        alias = names.user_alias(LAB.alias, user)
        assert model.works(value_of(alias, 0)) or model.works(value_of(alias, 1))

    converge(model, rotate if then == "same" else [want(user) for user in users], Policy(grace=grace))
    for user, cut in zip(users, cuts, strict=True):
        alias = names.user_alias(LAB.alias, user)
        row = row_of(model, alias)
        assert row.generation == (1 if then == "same" or cut else 0)
        assert model.works(value_of(alias, row.generation))
        assert row.fields["max_budget"] == 5.0
        assert row.expires == START + timedelta(seconds=DAY)
    model.pass_time(grace)
    converge(model, [want(user) for user in users])
    assert sorted(row.alias for row in rows_of(model)) == [names.user_alias(LAB.alias, user) for user in users]


def test_a_retired_row_is_known_by_its_alias_too() -> None:
    """Another run, that knew nothing of the rotation, may have written its own notes over those of the retired row."""
    model = LitellmModel()
    converge(model, [want("user1")])
    converge(model, [want("user1", rotation="a")], Policy(grace=3600))
    (retired,) = [row for row in model.rows.values() if "retired" in row["key_alias"]]
    retired["metadata"] = {NOTES_NAME: Notes(lab=LAB.alias, guid=LAB.guid, user="user1").to_metadata()}
    assert {row.served_alias for row in rows_of(model)} == {"virtkey-abc-user1"}
    converge(model, [want("user1")])
    assert [row.alias for row in rows_of(model)] == ["virtkey-abc-user1"]


# ----------------------------------------------------------------------------------- values that cannot be derived
def other_secret(alias: str, generation: int) -> str:
    return derive.value("another secret altogether", alias, generation)


def test_unrecoverable_blocks_by_default() -> None:
    model = LitellmModel()
    converge(model, [want("user1"), want("user2")])
    plan = plan_for(model, [want("user1"), want("user2"), want("user3")], secret=other_secret)
    assert [key.alias for key in plan.blockers] == ["virtkey-abc-user1", "virtkey-abc-user2"]
    assert "on_unrecoverable" in plan.blockers[0].reason


def test_unrecoverable_keep_manages_the_key_and_admits_that_its_value_is_unknown() -> None:
    model = LitellmModel()
    value = make(model, "virtkey-abc-user1", metadata={"guid": "abc", "created_by": "rhpds"})
    policy = Policy(on_unrecoverable=OnUnrecoverable.KEEP)
    plans = converge(model, [want("user1", fields={"rpm_limit": 2})], policy)
    assert actions(plans[0]) == {"virtkey-abc-user1": KeyAction.UPDATE}
    assert plans[-1].steps[0].recoverable is False
    row = row_of(model, "virtkey-abc-user1")
    assert row.token == derive.token(value) and row.fields["rpm_limit"] == 2
    assert row.notes == Notes(lab=LAB.alias, guid="abc", user="user1"), "the key is the lab's from now on"
    assert row.metadata["created_by"] == "rhpds"


@pytest.mark.parametrize("grace", [0, 3600])
def test_unrecoverable_rotate_gives_a_key_whose_value_is_known(grace: int) -> None:
    model = LitellmModel()
    value = make(model, "virtkey-abc-user1", metadata={"guid": "abc"}, max_budget=3.0, duration="7d")
    policy = Policy(on_unrecoverable=OnUnrecoverable.ROTATE, grace=grace)
    plans = converge(model, [want("user1")], policy)
    assert actions(plans[0]) == {"virtkey-abc-user1": KeyAction.ROTATE}
    assert model.works(value_of("virtkey-abc-user1", 1))
    assert model.works(value) == bool(grace)
    row = row_of(model, "virtkey-abc-user1")
    assert row.fields["max_budget"] == 3.0 and row.expires == START + timedelta(days=7)
    model.pass_time(grace)
    converge(model, [want("user1")], policy)
    assert len(model.rows) == 1


def test_rows_of_release_132_are_the_labs() -> None:
    model = LitellmModel()
    for alias in ("virtkey-abc-user1", "virtkey-abc-user2", "virtkey-abc"):
        make(model, alias, metadata={"guid": "abc"})
    make(model, "virtkey-abc-user1-user1", metadata={"guid": "abc-user1"})
    make(model, "virtkey-abc-admin", metadata={})
    converge(model, [want("user1")], Policy(prune=True, on_unrecoverable=OnUnrecoverable.KEEP))
    assert sorted(row.alias for row in rows_of(model)) == [
        "virtkey-abc-admin",
        "virtkey-abc-user1",
        "virtkey-abc-user1-user1",
    ]


# --------------------------------------------------------------------------------------------------------- duplicates
def duplicated(secret_first: bool) -> LitellmModel:
    model = LitellmModel()
    make(model, "virtkey-abc-user1", value_of("virtkey-abc-user1", 0) if secret_first else "")
    make(model, "other", "" if secret_first else value_of("virtkey-abc-user1", 0))
    for row in model.rows.values():
        row["key_alias"] = "virtkey-abc-user1"  # LiteLLM's check for taken aliases can be raced
    return model


@pytest.mark.parametrize("secret_first", [True, False])
def test_of_two_keys_with_one_alias_the_derived_one_stays(secret_first: bool) -> None:
    model = duplicated(secret_first)
    plan = plan_for(model, [want("user1")])
    assert plan.warnings == ["1 more key holds the alias virtkey-abc-user1; the module virtual_keys with state exact deletes what is too much."]
    converge(model, [want("user1")], Policy(prune=True))
    assert row_of(model, "virtkey-abc-user1").token == derive.token(value_of("virtkey-abc-user1", 0))


def test_rotation_retires_all_that_hold_the_alias() -> None:
    model = duplicated(True)
    converge(model, [want("user1", rotation="a")])
    assert row_of(model, "virtkey-abc-user1").generation == 1
    assert len(model.rows) == 1


def test_of_two_derived_values_the_later_one_stays() -> None:
    model = LitellmModel()
    notes = {NOTES_NAME: Notes(lab=LAB.alias, guid="abc", user="user1", generation=1).to_metadata()}
    make(model, "virtkey-abc-user1", value_of("virtkey-abc-user1", 0))
    make(model, "other", value_of("virtkey-abc-user1", 1), metadata=notes)
    for row in model.rows.values():
        row["key_alias"] = "virtkey-abc-user1"
    for rows in (rows_of(model), rows_of(model)[::-1]):
        plan = plan_keys([want("user1")], rows, value_of=value_of, now=model.now, policy=Policy(prune=True))
        assert plan.steps[0].generation == 1
        assert [row.generation for row in plan.to_delete] == [0]


def test_deletion_takes_everything_it_is_given() -> None:
    model = duplicated(True)
    plan = plan_key_deletion(rows_of(model))
    carry_out(model, plan)
    assert plan.changed and not model.rows
    assert not plan_key_deletion([]).changed


# ------------------------------------------------------------------------------------------------- a life at random
USERS = ("user1", "user2", "user3")
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "models": st.sampled_from([["granite"], ["granite", "mistral"], ["mistral", "granite"]]),
        "max_budget": st.sampled_from([None, 0.0, 5.0]),
        "rpm_limit": st.sampled_from([None, 0, 10]),
        "blocked": st.booleans(),
        "user_id": st.sampled_from([None, "u"]),
    },
)
WANTS = st.fixed_dictionaries(
    {
        "fields": FIELDS,
        "lifetime": st.sampled_from([None, 3600, DAY]),
        "rotation": st.sampled_from(["", "", "a", "b"]),
        "metadata": st.sampled_from([{}, {"owner": "a"}, {"owner": None}]),
    }
)
POLICIES = st.builds(
    Policy,
    prune=st.booleans(),
    grace=st.sampled_from([0, 1800]),
    on_unrecoverable=st.sampled_from([OnUnrecoverable.ROTATE, OnUnrecoverable.KEEP]),
)
OTHER = "virtkey-abc-user1-user1"


class LifeOfALab(RuleBasedStateMachine):
    """Runs, killed runs, other people's keys and time, in any order. What must hold, holds after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.model = LitellmModel()
        self.settled: Sequence[WantedKey] = ()
        make(self.model, OTHER, metadata={NOTES_NAME: Notes(lab="virtkey-abc-user1", guid="abc-user1").to_metadata()})
        self.others = dict(self.model.rows)

    def _ends(self) -> dict[str, datetime]:
        far = self.model.now + timedelta(days=9999)
        return {row.alias: row.expires or far for row in rows_of(self.model) if not row.expired(self.model.now)}

    @rule(
        users=st.sets(st.sampled_from(USERS), min_size=1),
        options=WANTS,
        policy=POLICIES,
        ahead=st.sampled_from([None, 60, 7200, 9 * DAY]),
        cuts=st.one_of(st.none(), st.dictionaries(st.sampled_from(USERS), st.integers(0, 2))),
    )
    def run(self, users: set[str], options: dict[str, Any], policy: Policy, ahead: int | None, cuts: dict[str, int] | None) -> None:
        until = self.model.now + timedelta(seconds=ahead) if ahead else None
        wanted = [want(user, expires_by=until, **options) for user in sorted(users)]
        before = self._ends()
        if cuts is not None:
            through = {names.user_alias(LAB.alias, user): count for user, count in cuts.items()}
            carry_out(self.model, plan_for(self.model, wanted, policy), cut=lambda alias: through.get(alias, 0), delete=False)
        converge(self.model, wanted, policy)
        after = self._ends()

        for key in wanted:
            holders = [row for row in rows_of(self.model) if row.alias == key.alias]
            assert len(holders) == 1 or not policy.prune
            row = max(
                holders,
                key=lambda row: (row.token == derive.token(value_of(row.alias, row.generation)), row.generation),
            )
            if policy.on_unrecoverable is OnUnrecoverable.ROTATE:
                value = value_of(row.alias, row.generation)
                assert row.token == derive.token(value)
                usable = not row.expired(self.model.now) and not row.fields["blocked"]
                assert self.model.works(value) == usable
            for name, value in key.fields.items():
                assert row.fields[name] == normal(name, value)
            if key.alias in before:
                assert after.get(key.alias, self.model.now) >= before[key.alias] - timedelta(seconds=1), "a life was shortened"
        if policy.prune:
            wanted_aliases = {key.alias for key in wanted}
            assert {row.served_alias for row in rows_of(self.model) if LAB.is_under_alias(row)} == wanted_aliases
        self.settled = wanted

    @rule(seconds=st.sampled_from([1, 1800, 3600, 2 * DAY]))
    def time_passes(self, seconds: int) -> None:
        self.model.pass_time(seconds)

    @rule(user=st.sampled_from(USERS), legacy=st.booleans())
    def somebody_makes_a_key(self, user: str, legacy: bool) -> None:
        alias = names.user_alias(LAB.alias, user)
        if not self.model.with_alias(alias):
            make(self.model, alias, metadata={"guid": "abc"} if legacy else {}, duration="1d")

    @rule(number=st.integers(0, 5))
    def somebody_deletes_a_key(self, number: int) -> None:
        tokens = sorted(set(self.model.rows) - set(self.others))
        if number < len(tokens):
            del self.model.rows[tokens[number]]

    @rule(number=st.integers(0, 5), name=st.sampled_from(["max_budget", "rpm_limit"]))
    def somebody_changes_a_key(self, number: int, name: str) -> None:
        tokens = sorted(set(self.model.rows) - set(self.others))
        if number < len(tokens):
            self.model.rows[tokens[number]][name] = 77

    @invariant()
    def the_other_lab_is_untouched(self) -> None:
        assert {token: self.model.rows[token] for token in self.others} == self.others

    @invariant()
    def nothing_lives_past_its_grace(self) -> None:
        for row in rows_of(self.model):
            if row.notes and row.notes.retired_until and row.expires:
                assert row.expires <= durations.parse_time(row.notes.retired_until) + timedelta(seconds=1)

    def teardown(self) -> None:
        """At the end everything settles: one working row an alias, and after the grace nothing else."""
        wanted = [want(user, lifetime=DAY, fields={"blocked": False}) for user in USERS]
        policy = Policy(prune=True, on_unrecoverable=OnUnrecoverable.ROTATE)
        converge(self.model, wanted, policy)
        self.model.pass_time(1801)
        converge(self.model, wanted, policy)
        rows = [row for row in rows_of(self.model) if row.alias != OTHER]
        assert sorted(row.alias for row in rows) == [key.alias for key in wanted]
        assert all(self.model.works(value_of(row.alias, row.generation)) for row in rows)


TestLifeOfALab = LifeOfALab.TestCase
TestLifeOfALab.settings = settings(max_examples=100, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
