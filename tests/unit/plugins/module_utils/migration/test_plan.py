# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Plans of a migration between models of two gateways: the keys that move, those that stay, and obstacles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.history import KeyHistory
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey, Notes
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import KeyAction
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.migration.move_note import NOTE, MoveNotes
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.migration.plan import Move, MovePlan, SameGateway, differences, plan_moves

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = "https://old.example.com"


def value_of(alias: str, generation: int) -> str:
    return derive.value("the secret of these tests", alias, generation)


def key(alias: str = "virtkey-abc", generation: int = 0, value: str = "", **more: Any) -> LiveKey:
    record = Notes(lab="virtkey-abc", guid="abc", generation=generation, adopted=more.pop("adopted", ""))
    row = {
        "key_alias": alias,
        "token": derive.token(value or value_of("virtkey-abc" if ".retired-" in alias else alias, generation)),
        "models": ["m"],
        "metadata": {"owner": "ann", NOTES_NAME: record.to_metadata()},
        "expires": (NOW + DAY).isoformat(),
        "created_at": (NOW - DAY).isoformat(),
    }
    return LiveKey.from_row({**row, **more})


def moves(
    source: list[LiveKey],
    target: list[LiveKey],
    *,
    renew: bool = False,
    origin: str = OLD,
    destination: str = "the target",
    deleted: Sequence[LiveKey] = (),
    at_source: Sequence[LiveKey] = (),
    **given: str,
) -> MovePlan:
    known = {derive.token(value): value for value in given.values()}
    histories = {"history": KeyHistory(value_of, deleted), "source_history": KeyHistory(value_of, at_source)}
    return plan_moves(source, target, notes=MoveNotes(origin, destination, value_of), known=known, renew=renew, now=NOW, **histories)


def arrived(move: Move, **more: Any) -> LiveKey:
    """Return the key at the target after the move, with `more` changed since."""
    target_row = replace(move.row, token=move.token, metadata=move.payload["metadata"], created_at=NOW)
    target_row = replace(target_row, notes=Notes.from_metadata(target_row.metadata))
    return replace(target_row, **more)


def only(plan: MovePlan) -> Move:
    (move,) = plan.moves
    assert not plan.conflicts and not plan.left_out
    return move


def test_a_key_is_made_with_its_value_and_the_rest_of_its_life() -> None:
    move = only(moves([key(spend=1.5, rpm_limit=9)], []))
    assert move.action is KeyAction.CREATE and move.value == value_of("virtkey-abc", 0)
    body = move.body(NOW + timedelta(hours=1))
    assert (body["duration"], body["spend"], body["rpm_limit"], body["key_alias"]) == (f"{23 * 3600}s", 1.5, 9, "virtkey-abc")
    assert body["metadata"][NOTE]["from"] == OLD and body["metadata"]["owner"] == "ann" and "key" not in body
    assert "duration" not in only(moves([key(expires=None)], [])).body(NOW), "never ends at the target either"
    assert move.value not in repr(move)


def test_moved_keys_are_kept_and_changes_at_the_source_are_repeated() -> None:
    first = only(moves([key(spend=1.0)], []))
    assert only(moves([key(spend=1.0)], [arrived(first)])).action is KeyAction.KEEP
    assert differences(first, arrived(first)) == []
    more = only(moves([key(spend=1.5)], [arrived(first, spend=1.25)]))
    assert more.only_spend and more.payload["spend"] == 1.75 and more.payload.keys() == {"key", "metadata", "spend"}
    later = only(moves([key(models=["n"], expires=(NOW + 3 * DAY).isoformat())], [arrived(first)]))
    assert later.payload["models"] == ["n"] and later.body(NOW)["duration"] == f"{3 * 86_400}s"
    shorter = only(moves([key(expires=(NOW + DAY / 2).isoformat())], [arrived(first)]))
    assert "duration" not in shorter.body(NOW), "the end is never moved to an earlier time"


@pytest.mark.parametrize("address", ["http://old.example.com:4000", "https://old", "http://10.0.0.1"])
def test_another_spelling_of_the_source_is_the_same_source(address: str) -> None:
    first = only(moves([key(spend=4.0)], []))
    changed = arrived(first, fields={**first.row.fields, "max_budget": 50.0})
    again = only(moves([key(spend=4.0)], [changed], origin=address))
    assert again.action is KeyAction.KEEP, "neither is its spend added again nor are changes at the target taken back"
    newer = arrived(first, token=derive.token(value_of("virtkey-abc", 1)), notes=Notes(lab="virtkey-abc", guid="abc", generation=1))
    assert only(moves([key()], [newer], origin=address)).superseded


def test_a_key_that_was_made_anew_at_the_source_is_another_key() -> None:
    first = only(moves([key(spend=4.0)], []))
    anew = only(moves([key(spend=1.0, created_at=NOW.isoformat())], [replace(arrived(first), created_at=NOW + DAY)]))
    assert anew.payload["spend"] == 5.0, "both have been spent"


@pytest.mark.parametrize("missing", [("mark", "made"), ("mark",)])
def test_a_note_of_an_earlier_release_is_replaced_once(missing: tuple[str, ...]) -> None:
    """Whoever may create keys at the target could have written it."""
    first = only(moves([key(spend=4.0)], []))
    note = {name: value for name, value in first.payload["metadata"][NOTE].items() if name not in missing}
    old = replace(arrived(first), metadata={**first.payload["metadata"], NOTE: note}, spend=5.0)
    again = only(moves([key(spend=4.0)], [old]))
    assert again.action is KeyAction.UPDATE and set(again.payload) == {"key", "metadata"}, "its spend is not added again"
    assert only(moves([key(spend=4.0)], [replace(old, metadata=again.payload["metadata"])])).action is KeyAction.KEEP


FORGERIES: list[dict[str, Any]] = [{}, {"mark": None}, {"mark": "0" * 64}, {"spend": 1e9}, {"renewed": True}, {"made": None}, {"at": 7, "spend": "much"}]


@pytest.mark.parametrize("forged", FORGERIES)
def test_a_key_that_somebody_made_at_the_target_gets_the_terms_of_the_source(forged: dict[str, Any]) -> None:
    """Its maker knows the value, and what a genuine note looks like that the same key has at another target."""
    elsewhere = only(moves([key(spend=4.0, max_budget=5.0)], [], destination="another target"))
    note = {**elsewhere.payload["metadata"][NOTE], **forged}
    fields = {**elsewhere.row.fields, "max_budget": 9999.0, "user_id": "mallory"}
    premade = replace(arrived(elsewhere), fields=fields, metadata={**elsewhere.row.metadata, NOTE: note, "mallory": 1}, expires=NOW + 999 * DAY, spend=0.0)
    move = only(moves([key(spend=4.0, max_budget=5.0)], [premade]))
    assert move.action is KeyAction.UPDATE and not move.only_spend
    assert (move.payload["max_budget"], move.payload["user_id"], move.payload["spend"]) == (5.0, None, 4.0)
    assert "mallory" not in move.payload["metadata"]
    (conflict,) = moves([key()], [replace(premade, unmanaged_settings=("permissions",))]).conflicts
    assert "already, with permissions, which" in conflict


def test_a_forged_note_does_not_turn_the_value_of_the_source_into_a_renewed_one() -> None:
    first = only(moves([key()], []))
    forged = replace(arrived(first), metadata={**first.payload["metadata"], NOTE: {**first.payload["metadata"][NOTE], "renewed": True}})
    plan = moves([key()], [forged], renew=True, at_source=[key()])
    assert [move.value for move in plan.moves] == [value_of("virtkey-abc", 1)] and plan.conflicts


def test_changes_at_the_target_are_kept() -> None:
    first = only(moves([key()], []))
    target_row = arrived(first, fields={**first.row.fields, "models": ["other"]}, expires=NOW + 9 * DAY)
    kept = only(moves([key()], [target_row]))
    assert kept.action is KeyAction.KEEP and differences(kept, target_row) == ["models", "expires"]


def test_a_key_that_was_rotated_at_the_target_is_not_brought_back() -> None:
    first = only(moves([key()], []))
    newer = arrived(first, token=derive.token(value_of("virtkey-abc", 1)), notes=Notes(lab="virtkey-abc", guid="abc", generation=1))
    kept = only(moves([key()], [newer]))
    assert kept.action is KeyAction.KEEP and kept.superseded and kept.token == newer.token
    foreign = replace(newer, metadata={})
    assert moves([key()], [foreign]).conflicts, "a key that did not come from the source is an obstacle"


def test_a_rotation_at_the_source_frees_the_alias_first() -> None:
    first = only(moves([key()], []))
    retired = key(
        f"virtkey-abc.retired-{first.token[:12]}", metadata={NOTES_NAME: Notes(lab="virtkey-abc", guid="abc", retired_from="virtkey-abc").to_metadata()}
    )
    plan = moves([key(generation=1), retired], [arrived(first)])
    assert not plan.conflicts and {move.alias: move.action for move in plan.moves} == {"virtkey-abc": KeyAction.CREATE, retired.alias: KeyAction.UPDATE}
    (conflict,) = moves([key(generation=1)], [arrived(first)]).conflicts
    assert "rotated at the source since" in conflict
    (conflict,) = moves([key(generation=1)], [key(created_at=NOW.isoformat())]).conflicts
    assert "a former value of it, which was made there and not moved; delete" in conflict


def test_another_value_under_the_alias_is_an_obstacle() -> None:
    (conflict,) = moves([key()], [key(value="sk-somebody-elses-value")]).conflicts
    assert "virtkey-abc with another value" in conflict
    assert "twice" in moves([key(), key(value="sk-another-of-the-same")], [], given="sk-another-of-the-same").conflicts[0]


def test_source_and_target_must_differ() -> None:
    with pytest.raises(SameGateway):
        moves([key()], [key()])


def test_random_values() -> None:
    value = "sk-Zr4BQ1Yk7T0x-hY_2cZLsw"
    row = key(value=value, adopted=derive.token(value))
    assert [each.code for each in moves([row], []).left_out] == ["unrecoverable"]
    given = only(moves([row], [], given=value))
    assert given.value == value and given.payload["metadata"][NOTES_NAME]["adopted"] == row.token
    renewed = only(moves([row], [], renew=True))
    assert renewed.renewed and renewed.value == value_of("virtkey-abc", 0) and "adopted" not in renewed.payload["metadata"][NOTES_NAME]
    assert differences(renewed, arrived(renewed)) == []
    assert only(moves([row], [arrived(renewed)], renew=True)).action is KeyAction.KEEP


@pytest.mark.parametrize(("more", "code"), [({"expires": NOW.isoformat()}, "expired"), ({"permissions": {"get_spend_routes": True}}, "not_carried")])
def test_keys_that_stay_are_named(more: dict[str, Any], code: str) -> None:
    plan = moves([key(**more)], [])
    assert [each.code for each in plan.left_out] == [code] and not plan.moves and not plan.changed


# ---------------------------------------------------------------------------------------- values revoked at the target
@pytest.mark.parametrize("living", [False, True])
def test_a_value_that_the_target_remembers_as_revoked_stays_revoked(living: bool) -> None:
    plan = moves([key(), key("virtkey-abc-user1")], [key(created_at=NOW.isoformat())] if living else [], deleted=[key()])
    assert [(left.row.alias, left.code) for left in plan.left_out] == [("virtkey-abc", "revoked")]
    assert [move.alias for move in plan.moves] == ["virtkey-abc-user1"], "the others are moved"


def test_a_value_that_somebody_chose_stays_revoked_too() -> None:
    hand = key(value="sk-chosen-by-hand")
    assert moves([hand], [], deleted=[hand], given="sk-chosen-by-hand").left_out[0].code == "revoked"


@pytest.mark.parametrize("source", [key(), key(value="sk-chosen-by-hand")], ids=["derived", "random"])
def test_renewing_takes_a_generation_that_the_target_never_had(source: LiveKey) -> None:
    for deleted, generation in ([key()], 1), ([key(), key(generation=4)], 5):
        revoked = [source, *deleted]
        move = only(moves([source], [], renew=True, deleted=revoked))
        assert move.renewed and move.value == value_of("virtkey-abc", generation)
        assert move.payload["metadata"][NOTES_NAME]["generation"] == generation
        again = only(moves([source], [arrived(move)], renew=True, deleted=revoked))
        assert again.action is KeyAction.KEEP and again.value == move.value and not differences(again, arrived(move))
        changed = only(moves([replace(source, fields={**source.fields, "rpm_limit": 7})], [arrived(move)], renew=True, deleted=revoked))
        assert changed.action is KeyAction.UPDATE and changed.payload["rpm_limit"] == 7


def test_a_key_that_was_rotated_at_the_target_is_not_taken_for_a_revoked_one() -> None:
    first = only(moves([key()], []))
    rotated = key(generation=1, metadata={**arrived(first).metadata, NOTES_NAME: Notes(lab="virtkey-abc", guid="abc", generation=1).to_metadata()})
    assert only(moves([key()], [rotated], deleted=[key()])).superseded


def test_a_value_that_was_revoked_at_the_source_and_made_again_there_is_not_laundered() -> None:
    assert moves([key()], [], at_source=[key()]).left_out[0].code == "revoked"


def test_a_value_before_one_that_the_target_revoked_is_revoked_too() -> None:
    assert moves([key()], [], deleted=[key(generation=5)]).left_out[0].code == "revoked"
    assert only(moves([key()], [], deleted=[key(generation=5)], renew=True)).value == value_of("virtkey-abc", 6)


def test_a_successor_that_was_revoked_at_the_target_and_made_again_there_does_not_stand_for_the_key() -> None:
    first = only(moves([key()], []))
    rotated = key(generation=1, metadata={**arrived(first).metadata, NOTES_NAME: Notes(lab="virtkey-abc", guid="abc", generation=1).to_metadata()})
    plan = moves([key()], [rotated], deleted=[key(), rotated])
    assert not plan.moves and plan.left_out[0].code == "revoked"


@pytest.mark.parametrize("revoked", [False, True])
def test_the_settings_of_a_key_that_somebody_else_made_pass_to_no_new_value(revoked: bool) -> None:
    value = "" if revoked else "sk-Zr4BQ1Yk7T0x-hY_2cZLsw"
    forged, own = (key(value=value, user_id="mallory", created_by=maker) for maker in ("mallory", "default_user_id"))
    history = [key()] if revoked else []
    assert [each.code for each in moves([forged], [], renew=True, deleted=history).left_out] == ["not_carried"]
    assert only(moves([own], [], renew=True, deleted=history)).renewed
