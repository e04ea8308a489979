# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import FIELDS, LiveKey, Notes, normal
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from hypothesis import given
from hypothesis import strategies as st

ROW: dict[str, Any] = {
    "token": "a" * 64,
    "key_alias": "virtkey-abc",
    "models": ["b", "a"],
    "max_budget": 5,
    "litellm_budget_table": {"soft_budget": 3.0},
    "soft_budget": None,
    "blocked": None,
    "expires": "2026-11-21T13:00:00.125000Z",
    "created_at": "2026-11-21T12:00:00Z",
    "spend": 1.5,
    "metadata": {"guid": "abc", "owner": "a@b.example"},
}
RECORDS = st.builds(
    Notes,
    lab=st.text(max_size=9),
    guid=st.text(max_size=9),
    user=st.text(max_size=9),
    package=st.text(max_size=9),
    generation=st.integers(0, 99),
    rotation=st.text(max_size=9),
    retired_from=st.text(max_size=9),
    retired_until=st.sampled_from(["", "2026-11-21T13:00:00Z"]),
    ends=st.sampled_from(["", "never", "2026-11-21T13:00:00Z"]),
)


def test_a_row_of_litellm() -> None:
    key = LiveKey.from_row(ROW)
    assert key.alias == "virtkey-abc"
    assert key.fields["models"] == ["a", "b"]
    assert key.fields["soft_budget"] == 3.0, "LiteLLM keeps it in a separate budget"
    assert key.fields["blocked"] is False
    assert set(key.fields) == set(FIELDS)
    assert key.expires == datetime(2026, 11, 21, 13, 0, 0, 125_000, tzinfo=UTC)
    assert key.guid == "abc", "release 1.3.2 stored it this way"
    assert key.notes is None and key.generation == 0
    assert not key.expired(datetime(2026, 11, 21, 13, tzinfo=UTC))
    assert key.expired(datetime(2026, 11, 21, 13, 0, 1, tzinfo=UTC))


def test_a_minimal_row() -> None:
    key = LiveKey.from_row({"token": "a" * 64, "key_alias": None})
    assert (key.alias, key.expires, key.spend, key.guid) == ("", None, 0.0, "")


@pytest.mark.parametrize("row", [{}, {"token": ""}, {"token": 7}, {"token": "a", "expires": "soon"}, {"token": "a", "created_at": "then"}])
def test_not_a_row(row: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="has no token|is not an ISO 8601 time"):
        LiveKey.from_row(row)


@given(RECORDS)
def test_notes_survive_metadata(notes: Notes) -> None:
    assert Notes.from_metadata({"other": 1, NOTES_NAME: notes.to_metadata()}) == notes


@pytest.mark.parametrize("notes", [None, "text", [], {}, {"format": 2, "lab": "x"}, {"format": "1"}, {"generation": 1}, True])
def test_foreign_notes(notes: Any) -> None:
    assert Notes.from_metadata({NOTES_NAME: notes}) is None


@pytest.mark.parametrize("generation", [-1, "7", None, 1.5, [], True])
def test_an_invalid_generation_counts_as_the_first(generation: Any) -> None:
    notes = Notes.from_metadata({NOTES_NAME: {"format": 1, "lab": "x", "generation": generation}})
    assert notes is not None and notes.generation == 0 and notes.generation is not True


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("models", ["b", "a"], ["a", "b"]),
        ("models", None, []),
        ("allowed_routes", None, []),
        ("blocked", None, False),
        ("model_max_budget", None, {}),
        ("max_budget", 5, 5.0),
        ("max_budget", "5", 5.0),
        ("rpm_limit", 5.0, 5),
        ("user_id", "", None),
        ("team_id", "", None),
    ],
)
def test_the_same_in_two_forms(name: str, one: Any, other: Any) -> None:
    assert normal(name, one) == normal(name, other)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("max_budget", 0, None),
        ("rpm_limit", 0, None),
        ("soft_budget", 0, None),
        ("models", ["a"], []),
        ("blocked", True, None),
    ],
)
def test_empty_and_missing_values_differ(name: str, one: Any, other: Any) -> None:
    assert normal(name, one) != normal(name, other)
