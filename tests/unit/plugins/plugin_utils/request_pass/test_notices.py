# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Warnings before keys end, and requests whose keys have ended."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Busy
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.delivery import DeliverySettings
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass import notices
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.parts import PassParts
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.post import PostResult
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_desk import TestDesk

BEFORE = ["72h", "24h", "1h"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestDesk:
    monkeypatch.setattr(notices, "describe_key", lambda row: row.described)
    return TestDesk(tmp_path)


def living(alias: str, expires: str | None, **metadata: Any) -> Any:
    described = {
        "alias": alias,
        "key_id": "k",
        "expires": expires,
        "models": ["granite"],
        "metadata": {"owner": "ada@company.com", **metadata},
        "user_id": None,
    }
    end = durations.parse_time(expires) if expires else None
    return SimpleNamespace(alias=alias, served_alias=alias, in_service=True, expires=end, described=described)


def send(desk: TestDesk, ahead: str = "1h") -> notices.NoticesReport:
    parts = PassParts(desk.store, ValueError("none"), desk.gateway, desk.post, desk.post, desk.post, lambda: desk.at)
    return notices.warn_owners(parts, BEFORE, ahead, DeliverySettings(["mail"]), patience=0)


def finished(desk: TestDesk, name: str) -> str:
    """Return the id of a request whose key was delivered."""
    asked = desk.ask(name)
    desk.make_pass()
    return asked


# ------------------------------------------------------------------------------------------------------------ warnings
def test_a_warning_is_sent_once_and_early_rather_than_late(desk: TestDesk) -> None:
    desk.gateway.living = [living("a", "2026-11-21T05:45:00Z")]
    assert send(desk).warned == 1
    assert desk.gateway.changed["a"]["metadata"]["expiry_notices"] == [f"{span} before 2026-11-21T05:45:00Z" for span in ("1h", "24h", "72h")]
    desk.gateway.living = [living("a", "2026-11-21T05:45:00Z", **desk.gateway.changed["a"]["metadata"])]
    assert send(desk).warned == 0
    assert len(desk.post.sent) == 1


def test_only_what_was_sent_is_counted_and_noted(desk: TestDesk) -> None:
    desk.gateway.living = [living("a", "2026-11-21T05:00:00Z"), living("b", "2026-11-21T05:00:00Z", owner="bob@company.com")]
    desk.post.results["ada@company.com"] = PostResult(False, "no route")
    report = send(desk)
    assert (report.warned, report.failures, report.failed) == (1, {"a": "no route"}, True)
    assert set(desk.gateway.changed) == {"b"}
    assert "the owner of a was not warned: no route" in report.lines()


def test_a_channel_is_told_too_and_its_failure_keeps_no_owner_from_being_warned(desk: TestDesk) -> None:
    desk.post.webhooks = {"chat": ["expiry"], "broken": ["expiry"], "other": ["review"]}
    desk.post.results["#broken"] = PostResult(False, "HTTP status 500")
    desk.gateway.living = [living("a", "2026-11-21T05:00:00Z")]
    report = send(desk)
    assert (report.warned, report.failures) == (1, {"a (webhook broken)": "HTTP status 500"})
    assert desk.post.kinds_to("#chat") == ["expiry"] and set(desk.gateway.changed) == {"a"}


def test_others_notes_stop_nobody_s_warning(desk: TestDesk) -> None:
    desk.gateway.living = [living("odd", "2026-11-21T05:00:00Z", expiry_notices=1), living("a", "2026-11-21T05:00:00Z")]
    assert send(desk).warned == 2


def test_a_span_that_is_not_a_duration_is_named(desk: TestDesk) -> None:
    desk.gateway.living = [living("a", "2026-11-21T05:00:00Z")]
    with pytest.raises(ValueError, match="the time between two runs"):
        send(desk, "soon")


# --------------------------------------------------------------------------------------------------------------- ended
def test_requests_whose_keys_are_gone_have_ended_and_the_others_have_not(desk: TestDesk) -> None:
    ada, bob, eve = (finished(desk, name) for name in ("ada", "bob", "eve"))
    alias = {each: desk.get(each).progress.key_alias for each in (ada, bob, eve)}
    desk.gateway.delete(alias[ada])
    desk.gateway.living = [living(alias[bob], None)]
    report = send(desk)
    assert report.ended == 1 and desk.get(ada).progress.ended_at and not desk.get(bob).progress.ended_at
    assert not desk.get(eve).progress.ended_at, "the gateway neither has nor remembers its key"
    assert "check that it is the right one" in report.warnings[0]
    assert desk.get(desk.ask("ada")).state == "pending", "and ada may ask again"


def test_the_wrong_gateway_ends_nothing(desk: TestDesk) -> None:
    asked = [finished(desk, name) for name in ("ada", "bob")]
    desk.gateway.remembers = False
    report = send(desk)
    assert report.ended == 0 and not any(desk.get(each).progress.ended_at for each in asked)


def test_a_gateway_that_remembers_no_deletions_is_believed_if_it_has_another_of_the_keys(desk: TestDesk) -> None:
    ada, bob = (finished(desk, name) for name in ("ada", "bob"))
    desk.gateway.remembers = False
    desk.gateway.living = [living(desk.get(bob).progress.key_alias, None)]
    assert send(desk).ended == 1 and desk.get(ada).progress.ended_at


def test_a_key_whose_time_is_over_has_ended_whatever_the_gateway_knows(desk: TestDesk) -> None:
    ada = finished(desk, "ada")
    desk.at = "2027-01-01T00:00:00Z"
    assert send(desk).ended == 1 and desk.get(ada).progress.ended_at


def test_a_key_that_is_made_between_the_two_readings_has_not_ended(desk: TestDesk) -> None:
    ada = desk.ask("ada")
    listed = desk.gateway.living_keys

    def key_delivered(record: Record) -> Record:
        minted = transitions.mark_minted(transitions.approve(record, {}, by="boss", at=desk.at), at=desk.at, key_alias="k")
        return transitions.mark_finished(minted, at=desk.at)

    def listed_while_a_pass_ends() -> list[Any]:
        desk.store.transition(desk.get(ada), key_delivered)
        return listed()

    desk.gateway.living_keys = listed_while_a_pass_ends  # type: ignore[method-assign]
    assert send(desk).ended == 0 and not desk.get(ada).progress.ended_at


@pytest.mark.parametrize(("end", "noted"), [("2027-03-01T00:00:00Z", "2027-03-01T00:00:00Z"), (None, "")])
def test_the_request_learns_of_an_end_that_others_changed(desk: TestDesk, end: str | None, noted: str) -> None:
    ada = finished(desk, "ada")
    desk.gateway.living = [living(desk.get(ada).progress.key_alias, end)]
    send(desk)
    assert desk.get(ada).progress.expires == noted
    assert desk.get(ada).history[-1].by == "gateway"
    history = desk.get(ada).history
    send(desk)
    assert desk.get(ada).history == history
    desk.at = "2027-01-01T00:00:00Z"
    assert desk.get(desk.ask("ada")).state == "approved", "a living key is not replaced by another"


def test_notices_wait_for_a_pass(desk: TestDesk) -> None:
    with DirectoryStore(str(desk.store.directory)).turn(0), pytest.raises(Busy):
        send(desk)
