# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from hypothesis import given
from hypothesis import strategies as st

NOT_DURATIONS = (
    "1h30m",  # LiteLLM reads an hour
    "1y",
    "30D",
    "90",
    "1.5h",
    "",
    " ",
    "-1",
    "-1d",
    "+1d",
    "d",
    "d30",
    "30 d",
    " 30d",
    "30d ",
    "30d\n",
    "30days",
    "1e3s",
    "0x10s",
    "never",
    "３０d",  # digits, but not ASCII
    "٣d",
    "1234567890123s",
)


@pytest.mark.parametrize("text", NOT_DURATIONS)
def test_an_invalid_duration_is_named_with_a_remedy(text: str) -> None:
    with pytest.raises(ValueError, match="^budget_duration is ") as caught:
        durations.seconds(text, "budget_duration")
    message = str(caught.value)
    assert repr(text) in message and "30d" in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["0s", "0d", "000mo"])
def test_zero_durations(text: str) -> None:
    with pytest.raises(ValueError, match="no time at all"):
        durations.seconds(text)


@pytest.mark.parametrize("text", ["3651d", "999999999999s", "999999999999mo", "122mo", "87601h"])
def test_absurd(text: str) -> None:
    with pytest.raises(ValueError, match="longer than ten years"):
        durations.seconds(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
        ("1mo", 2_592_000),
        ("3650d", 315_360_000),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    assert durations.seconds(text) == seconds


@given(st.integers(1, durations.LONGEST_SECONDS))
def test_spelling_and_reading_are_inverse(total: int) -> None:
    assert durations.seconds(durations.spell(total)) == total


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_times_survive_to_the_second(time: datetime) -> None:
    assert durations.parse_time(durations.iso(time)) == time.replace(microsecond=0)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-21T12:00:00Z", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("2026-11-21T12:00:00", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("2026-11-21T14:00:00+02:00", datetime(2026, 11, 21, 14, tzinfo=timezone(timedelta(hours=2)))),
        ("2026-11-21T12:00:00.125000Z", datetime(2026, 11, 21, 12, 0, 0, 125_000, tzinfo=UTC)),
    ],
)
def test_parse_time(text: str, time: datetime) -> None:
    assert durations.parse_time(text) == time


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01", "30d", "1763726400"])
def test_not_a_time(text: str) -> None:
    with pytest.raises(ValueError, match="extend_until is .*not an ISO 8601 time"):
        durations.parse_time(text, "extend_until")


@pytest.mark.parametrize(("span", "seconds"), [(0.0, 0), (0.001, 1), (1.0, 1), (59.5, 60), (-0.5, 0)])
def test_seconds_are_rounded_up(span: float, seconds: int) -> None:
    assert durations.whole_seconds(timedelta(seconds=span)) == seconds
