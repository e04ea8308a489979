# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Passes at an interval: one after the other, whatever becomes of each, until a file says to stop."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreUnreachable
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.interval import make_passes, seconds_of, touch
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.report import PassReport


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("5m", 300), ("1h", 3600)])
def test_an_interval_is_a_number_with_a_unit(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["soon", "5", "0s", "-5m", "1d", "5m\n", "1e9s", "", "99999999h"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give a whole number and s, m or h"):
        seconds_of(text)


def test_a_pass_that_fails_stops_no_other_and_is_shown(tmp_path: Path) -> None:
    stop, shown, made = tmp_path / "stop", list[PassReport | Exception](), list[int]()

    def make() -> PassReport:
        made.append(1)
        if len(made) == 2:
            raise StoreUnreachable("no answer.")
        if len(made) == 3:
            stop.touch()
        return PassReport("2026-11-21T04:00:00Z")

    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)

    make_passes(make, 0.001, str(stop), shown.append, sleep=sleep)
    assert [type(each) for each in shown] == [PassReport, StoreUnreachable, PassReport]


def test_a_stop_file_ends_a_long_wait_soon(tmp_path: Path) -> None:
    stop, waits = tmp_path / "stop", list[float]()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        stop.touch()

    make_passes(lambda: PassReport("2026-11-21T04:00:00Z"), 3600, str(stop), lambda _report: None, sleep=sleep)
    assert waits == [1.0]


def test_its_heart_beats_before_a_pass_and_while_it_waits(tmp_path: Path) -> None:
    stop, seen = tmp_path / "stop", list[str]()

    def make() -> PassReport:
        seen.append("pass")
        return PassReport("2026-11-21T04:00:00Z")

    def sleep(_seconds: float) -> None:
        if seen.count("beat") == 3:
            stop.touch()

    make_passes(make, 3600, str(stop), lambda _report: None, heartbeat=lambda: seen.append("beat"), sleep=sleep)
    assert seen == ["beat", "pass", "beat", "beat", "beat"]


def test_a_heartbeat_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    touch(None)
    touch(str(tmp_path / "missing" / "heartbeat"))
    touch(str(tmp_path / "heartbeat"))
    assert [path.name for path in tmp_path.iterdir()] == ["heartbeat"]


def passes(tmp_path: Path, marks: list[int], *, most_sleeps: int) -> list[int]:
    """Return at which waits passes were made, in an hour of which `marks` tell the changes, one look each; the last one goes on."""
    stop, made, looks = tmp_path / "stop", list[int](), iter(marks)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == most_sleeps:
            stop.touch()

    def make() -> PassReport:
        made.append(len(waits))
        return PassReport("2026-11-21T04:00:00Z")

    make_passes(make, 3600, str(stop), lambda _report: None, mark=lambda: next(looks, marks[-1]), sleep=sleep)
    return made


def test_a_change_wakes_it_within_a_look(tmp_path: Path) -> None:
    assert passes(tmp_path, [1, 1, 1, 1, 2], most_sleeps=9) == [0, 3]


def test_a_change_during_a_pass_makes_another_one(tmp_path: Path) -> None:
    assert passes(tmp_path, [1, 2], most_sleeps=9) == [0, 1]


def test_passes_that_always_change_something_do_not_follow_each_other_without_end(tmp_path: Path) -> None:
    stop, made, waits = tmp_path / "stop", list[int](), list[float]()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 20:
            stop.touch()

    def make() -> PassReport:
        made.append(len(made))
        return PassReport("2026-11-21T04:00:00Z")

    make_passes(make, 3600, str(stop), lambda _report: None, mark=lambda: len(made), sleep=sleep)
    assert len(made) == 5
