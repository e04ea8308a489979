# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.usage.tables import (
    MASTER_KEY,
    Book,
    Days,
    KeyIdentity,
    days,
    near_budget,
    parse_tables,
    total,
    usage_table,
)

NOW = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)


# ----------------------------------------------------------------------------------------------------------------- days
@pytest.mark.parametrize(
    ("since", "until", "first", "last"),
    [
        ("30d", "", date(2026, 10, 27), date(2026, 11, 25)),
        ("1d", "", date(2026, 11, 25), date(2026, 11, 25)),
        ("1w", "", date(2026, 11, 19), date(2026, 11, 25)),
        ("1h", "", date(2026, 11, 25), date(2026, 11, 25)),
        ("2h", "", date(2026, 11, 24), date(2026, 11, 25)),
        ("2026-11-01", "2026-11-30", date(2026, 11, 1), date(2026, 11, 25)),
        ("2026-10-01", "2026-10-31", date(2026, 10, 1), date(2026, 10, 31)),
        ("2026-11-25", "2026-11-25", date(2026, 11, 25), date(2026, 11, 25)),
    ],
)
def test_days(since: str, until: str, first: date, last: date) -> None:
    assert days(since, until, NOW) == Days(first, last)


def test_days_are_those_of_utc() -> None:
    assert days("1d", "", datetime.fromisoformat("2026-11-25T23:30:00-05:00")).last == date(2026, 11, 26)


@pytest.mark.parametrize(
    ("since", "until", "message"),
    [
        ("2026-11-26", "", "since is 2026-11-26, which is yet to come"),
        ("2026-11-02", "2026-11-01", "since (2026-11-02) is after until (2026-11-01)"),
        ("30d", "2026-10-01", "since (2026-10-27) is after until (2026-10-01)"),
        ("2016-01-01", "", "more than ten years ago"),
        ("2026-02-30", "", "since is '2026-02-30', which is not a day such as"),
        ("yesterday", "", "nor a time back from now such as 30d"),
        ("", "", "since is '', which is not a day"),
        ("1h30m", "", "since is '1h30m'"),
        ("30x", "", "which is not a duration"),
        ("0d", "", "lasts no time at all"),
        ("30d", "30d", "until is '30d', which is not a day such as 2026-11-01."),
    ],
)
def test_invalid_days(since: str, until: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^(since|until) ") as raised:
        days(since, until, NOW)
    assert message in str(raised.value)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7, 10, 100])
def test_windows_are_all_days_once(number: int) -> None:
    span = Days(date(2026, 11, 1), date(2026, 11, 10))
    windows = span.windows(number)
    assert [day for window in windows for day in window] == list(span)
    assert len(windows) <= max(1, number)


# -------------------------------------------------------------------------------------------------------------- the book
def metrics(requests: int, cost: float, failed: int = 0, tokens: int = 0) -> dict[str, Any]:
    """Return metrics as in LiteLLM's answers, including unused ones."""
    return {
        "spend": cost,
        "api_requests": requests,
        "successful_requests": requests - failed,
        "failed_requests": failed,
        "prompt_tokens": tokens,
        "completion_tokens": 2 * tokens,
        "flat_cost": 0.0,
    }


def key_metadata(alias: str | None, team: str | None = None, user: str | None = None) -> dict[str, Any]:
    return {"key_alias": alias, "team_id": team, "user_id": user, "user_email": None}


def activity(*days: tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    """Return an answer of LiteLLM's: for each day the totals, the metrics of each key, and those of each model by key."""
    return {
        "results": [
            {
                "date": day,
                "metrics": totals,
                "breakdown": {
                    "api_keys": {token: {"metrics": sums, "metadata": key_metadata(f"alias of {token}")} for token, sums in keys.items()},
                    "model_groups": {
                        model: {
                            "metrics": {},
                            "metadata": {},
                            "api_key_breakdown": {token: {"metrics": sums, "metadata": {}} for token, sums in of_keys.items()},
                        }
                        for model, of_keys in models.items()
                    },
                },
            }
            for day, totals, keys, models in days
        ],
        "metadata": {},
    }


@pytest.mark.parametrize("spend", [0.1, 33.3, 1234.56])
def test_what_rounding_leaves_is_no_usage(spend: float) -> None:
    """LiteLLM adds the parts up in another order, so what is left of a day without them is not quite 0."""
    keys = {f"k{number}": metrics(1, spend * (number + 1) / 7) for number in range(1000)}
    found = Book()
    found.enter(activity(("2026-11-24", metrics(1000, sum(each["spend"] for each in reversed(keys.values()))), keys, {"m": keys})))
    assert {(token, model) for _day, token, model in found.sums} == {(token, "m") for token in keys}


def book() -> Book:
    """Usage of two days. On the first, one request had no key, and one with key b was refused before it named a model."""
    found = Book()
    found.enter(
        activity(
            (
                "2026-11-24",
                metrics(10, 1.5, failed=2, tokens=90),
                {"a": metrics(4, 1.0, tokens=40), "b": metrics(5, 0.5, failed=2, tokens=50)},
                {"granite": {"a": metrics(4, 1.0, tokens=40), "b": metrics(2, 0.25, failed=1, tokens=50)}, "mistral": {"b": metrics(2, 0.25)}},
            ),
            ("2026-11-25", metrics(1, 0.75), {"a": metrics(1, 0.75)}, {"granite": {"a": metrics(1, 0.75)}}),
        )
    )
    return found


NOTES = {
    "": KeyIdentity(""),
    MASTER_KEY: KeyIdentity(MASTER_KEY, alias="master key"),
    "a": KeyIdentity("a", alias="virtkey-x", lab="virtkey-x", guid="x", owner="ann", package="ai-developer"),
    "b": KeyIdentity("b", alias="virtkey-y-user1", lab="virtkey-y", guid="y", user="user1", owner="bob", deleted=True),
}


def everything(_key: KeyIdentity, _model: str) -> bool:
    return True


def test_all_sums_agree_whatever_they_are_grouped_by() -> None:
    entered = book()
    overall = total(entered, NOTES, everything).to_result()
    assert overall == {"requests": 10, "requests_ok": 9, "requests_failed": 1, "tokens_in": 90, "tokens_out": 180, "cost": 2.25}
    for by in (["day"], ["key"], ["lab"], ["user"], ["owner"], ["team"], ["package"], ["model"], ["day", "model"], ["lab", "owner", "model"]):
        rows = usage_table(entered, NOTES, by, everything)
        for name, value in overall.items():
            assert sum(row[name] for row in rows) == pytest.approx(value), by


def test_usage_without_a_key_is_counted_and_refused_requests_are_left_out() -> None:
    rows = {(row["key_id"], row["model"]): (row["requests"], row["cost"]) for row in usage_table(book(), NOTES, ["key", "model"], everything)}
    assert rows == {("a", "granite"): (5, 1.75), ("b", "granite"): (2, 0.25), ("b", "mistral"): (2, 0.25), ("", ""): (1, 0.0)}


def test_order_by_day_or_by_cost() -> None:
    assert [row["day"] for row in usage_table(book(), NOTES, ["day"], everything)] == ["2026-11-24", "2026-11-25"]
    assert [row["lab"] for row in usage_table(book(), NOTES, ["lab"], everything)] == ["virtkey-x", "virtkey-y", ""]
    assert [(row["day"], row["model"]) for row in usage_table(book(), NOTES, ["day", "model"], everything)] == [
        ("2026-11-24", "granite"),
        ("2026-11-24", "mistral"),
        ("2026-11-24", ""),
        ("2026-11-25", "granite"),
    ]


def test_a_row_of_a_key_says_whose_it_is() -> None:
    (row,) = usage_table(book(), NOTES, ["key"], lambda key, _model: key.owner == "bob")
    assert (row["key"], row["key_id"], row["lab"], row["user"], row["deleted"], row["requests"]) == ("virtkey-y-user1", "b", "virtkey-y", "user1", True, 4)


def test_windows_add_up() -> None:
    entered = book()
    entered.enter(activity(("2026-11-25", metrics(1, 0.5), {"a": metrics(1, 0.5)}, {"granite": {"a": metrics(1, 0.5)}})))
    (row,) = usage_table(entered, NOTES, ["key"], lambda key, _model: key.token == "a")
    assert (row["requests"], row["cost"]) == (6, 2.25)
    assert entered.tokens == {"a", "b"}
    assert entered.metadata["a"]["key_alias"] == "alias of a"


@pytest.mark.parametrize("answer", [{}, {"results": [{}]}, {"results": [{"date": "2026-11-25", "metrics": {"spend": "much"}, "breakdown": {}}]}])
def test_an_answer_of_another_shape(answer: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Book().enter(answer)


def test_names_are_made_safe_to_show() -> None:
    entered = Book()
    entered.enter(activity(("2026-11-25", metrics(1, 0.0), {"a": metrics(1, 0.0)}, {"\x1b[31mred\n": {"a": metrics(1, 0.0)}})))
    (row,) = usage_table(entered, NOTES, ["model"], everything)
    assert row["model"] == "[31mred"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["labs"], "unknown dimension 'labs' in by;"),
        (["day+"], "unknown dimension '' in by;"),
        (["day+day"], "by holds 'day+day', which names a dimension twice;"),
        (["day,model"], "unknown dimension 'day,model' in by;"),
    ],
)
def test_wrong_tables_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match="choose from day, key, lab") as raised:
        parse_tables(names)
    assert message in str(raised.value)
    assert parse_tables(["lab", "day+model"]) == {"lab": ("lab",), "day+model": ("day", "model")}


# -------------------------------------------------------------------------------------------------------------- the keys
def row(alias: str, **more: Any) -> LiveKey:
    notes = more.pop("notes", None)
    metadata = {**more.pop("metadata", {}), **({"litellm_virtual_keys": {"format": 1, **notes}} if notes else {})}
    return LiveKey.from_row({"token": "t", "key_alias": alias, "metadata": metadata, **more})


@pytest.mark.parametrize(
    ("key", "lab", "guid", "user", "owner", "package"),
    [
        (row("virtkey-x-user7", notes={"lab": "virtkey-x", "guid": "x", "user": "user7", "package": "lab-dev"}), "virtkey-x", "x", "user7", "", "lab-dev"),
        (row("team/one", notes={"lab": "team/one", "guid": "x"}, user_id="ann@x"), "team/one", "x", "", "ann@x", ""),
        (row("virtkey-x-user7", metadata={"guid": "x", "owner": "ann"}, user_id="u"), "virtkey-x", "x", "user7", "ann", ""),
        (row("virtkey-x-y", metadata={"guid": "x-y", "owner": "unknown"}, user_id="u"), "virtkey-x-y", "x-y", "", "u", ""),
        (row("virtkey-x-user7"), "virtkey-x", "x", "user7", "", ""),
        (row("somebody", user_id="u"), "", "", "", "u", ""),
    ],
)
def test_to_whom_a_key_belongs(key: LiveKey, lab: str, guid: str, user: str, owner: str, package: str) -> None:
    notes = KeyIdentity.of_row(key, deleted=True)
    assert (notes.lab, notes.guid, notes.user, notes.owner, notes.package, notes.deleted) == (lab, guid, user, owner, package, True)


def test_a_retired_value_goes_by_the_alias_that_it_served() -> None:
    retired = row("virtkey-x.retired-t", notes={"lab": "virtkey-x", "guid": "x", "retired_from": "virtkey-x"})
    assert KeyIdentity.of_row(retired, deleted=True).alias == "virtkey-x"


def test_the_notes_of_a_key_that_was_deleted_in_the_database() -> None:
    notes = KeyIdentity.from_metadata("t", key_metadata("virtkey-x-user2", "blue", "ann"))
    assert notes == KeyIdentity("t", "virtkey-x-user2", "virtkey-x", "x", "user2", "ann", "blue", deleted=True)
    assert KeyIdentity.from_metadata("t", key_metadata(None)) == KeyIdentity("t", deleted=True)
    assert KeyIdentity.from_metadata(MASTER_KEY, {}).alias == "master key"


# ------------------------------------------------------------------------------------------------------------- budgets
def test_keys_near_their_budget() -> None:
    rows = [
        row("half", max_budget=2.0, spend=1.0),
        row("near", max_budget=2.0, spend=1.9, budget_duration="30d"),
        row("over", max_budget=2.0, spend=2.5),
        row("nothing allowed", max_budget=0, spend=0.0),
        row("no budget", spend=9.0),
        row("expired", max_budget=2.0, spend=2.0, expires="2026-11-25T01:00:00Z"),
        row("blocked", max_budget=2.0, spend=2.0, blocked=True),
    ]
    found = near_budget(rows, 80, NOW)
    assert [(key["key"], key["percent"]) for key in found] == [("over", 125.0), ("nothing allowed", 100.0), ("near", 95.0)]
    assert (found[2]["spend"], found[2]["max_budget"], found[2]["budget_duration"]) == (1.9, 2.0, "30d")
    assert [key["key"] for key in near_budget(rows, 50, NOW)][-1] == "half"
