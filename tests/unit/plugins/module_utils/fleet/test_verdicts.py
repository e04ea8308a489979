# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.fleet.verdicts import LabVerdict, Living, Reaping, ReapingRules, verdict_of
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.orphan import ORPHAN
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import plan_key_updates
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.errors import Refused
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.fleet_keys import NOW, key

RULES = ReapingRules(grace=72 * 3600, min_age=3600, max_share=20)


def marked(hours: float, guid: str = "dead1", user: str = "", *, stopped: bool = False, **row: Any) -> LiveKey:
    """Return a key that was found dead `hours` ago."""
    note = {"since": (NOW - timedelta(hours=hours)).isoformat(), **({"stopped": True} if stopped else {})}
    return key(guid, user, metadata={ORPHAN: note}, **{"blocked": True, **row})


def verdict(row: LiveKey, *living: str, **rules: Any) -> LabVerdict:
    return verdict_of(row, Living.of(living), replace(RULES, **rules), NOW)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (key("alive"), LabVerdict.KEEP),
        (key("ALIVE"), LabVerdict.KEEP),
        (key("alive", blocked=True), LabVerdict.KEEP),
        (key("dead1"), LabVerdict.BLOCK),
        (key("dead1", age=0.5), LabVerdict.YOUNG),
        (key("dead1", ends=-5), LabVerdict.BLOCK),
        (key("dead1", blocked=True), LabVerdict.BLOCK),
        (key("dead1", retired=True), LabVerdict.BLOCK),
        (key("alive-not"), LabVerdict.BLOCK),
        (marked(71.9), LabVerdict.WAIT),
        (marked(72), LabVerdict.DELETE),
        (marked(500, blocked=False), LabVerdict.BLOCK),
        (marked(500, guid="alive"), LabVerdict.UNBLOCK),
        (key("dead1", metadata={ORPHAN: {"since": "soon"}}, blocked=True), LabVerdict.BLOCK),
        (key("dead1", metadata={ORPHAN: "2026-01-01T00:00:00Z"}, blocked=True), LabVerdict.BLOCK),
        (key("dead1", notes=False), LabVerdict.UNMANAGED),
        (key("alive", "user1", notes=False), LabVerdict.KEEP),
    ],
)
def test_verdicts(row: LiveKey, expected: LabVerdict) -> None:
    assert verdict(row, "alive", "other") is expected


def test_keys_without_notes_are_judged_by_alias_only_on_request() -> None:
    assert verdict(key("dead1", "user1", notes=False), "alive", unmanaged=True) is LabVerdict.BLOCK
    assert verdict(key("a-b", "user1", notes=False), "a-b", unmanaged=True) is LabVerdict.KEEP
    assert verdict(key("a-b", "user1", notes=False), "a", unmanaged=True) is LabVerdict.KEEP, "it may belong to the lab a"
    assert verdict(key("ab", "user1", notes=False), "a", unmanaged=True) is LabVerdict.BLOCK


def test_only_aliases_of_the_own_pattern_are_judged() -> None:
    rows = [key("dead1", lab="team-dead1"), key("dead1", "user1"), key("dead1", lab="xvirtkey-dead1")]
    assert [row.alias for row, _verdict in Reaping.of(rows, Living.of(["alive"]), RULES, NOW).verdicts] == ["virtkey-dead1-user1"]


def reaping(*rows: LiveKey, **rules: Any) -> Reaping:
    return Reaping.of(rows, Living.of(["alive"]), replace(RULES, **rules), NOW)


def test_the_share_of_the_fleet() -> None:
    living = [key("alive", f"user{number}") for number in range(8)]
    ignored = [key(f"gone{number}", notes=False) for number in range(50)]
    reaping(*living, *ignored, key("dead1"), marked(1, user="user1")).check()
    with pytest.raises(Refused, match=r"3 of 11 keys \(27.3 %\) would be of labs that live no more") as error:
        reaping(*living, key("dead1"), marked(1, user="user1"), marked(99, user="user2")).check()
    assert error.value.code == "too_many_orphans"
    reaping(*living, key("dead1"), marked(1, user="user1"), marked(99, user="user2"), max_share=27.3).check()
    with pytest.raises(Refused):
        reaping(*living, key("dead1"), marked(1, user="user1"), marked(99, user="user2"), max_share=27.2).check()
    reaping().check()
    with pytest.raises(ValueError, match="max_share is 101"):
        replace(RULES, max_share=101)


def written(run: Reaping, row: LiveKey) -> dict[str, Any]:
    """Return the fields that are written to a key."""
    plan = plan_key_updates([(row, run.change(row))], value_of=lambda _alias, _generation: "", now=NOW)
    return {name: value for call in plan.steps[0].calls for name, value in call.payload.items() if name != "key"}


def test_blocking_notes_the_time_and_keeps_all_else() -> None:
    row = key("dead1", metadata={"owner": "ada"})
    body = written(reaping(row), row)
    assert body["blocked"] is True and "duration" not in body
    assert body["metadata"] == {**row.metadata, ORPHAN: {"since": "2026-11-25T12:00:00Z"}}


def test_the_work_of_another_reaper_is_kept() -> None:
    run = reaping(key("dead1"))
    assert written(run, marked(0.01)) == {}
    assert written(run, marked(1, guid="alive")) != {}
    assert written(run, key("alive")) == {}, "unblocked already"


def test_a_lab_that_came_back_is_restored() -> None:
    back, stopped = marked(5, guid="alive"), marked(5, guid="alive", stopped=True)
    assert written(reaping(), back)["blocked"] is False
    assert ORPHAN not in written(reaping(), back)["metadata"]
    assert "blocked" not in written(reaping(), stopped), "an admin had stopped it"
    assert ORPHAN not in written(reaping(), stopped)["metadata"]


def test_an_earlier_stop_is_noted() -> None:
    row = key("dead1", blocked=True)
    assert written(reaping(), row)["metadata"][ORPHAN] == {"since": "2026-11-25T12:00:00Z", "stopped": True}


def test_keys_are_checked_again_before_deletion() -> None:
    old, other, fresh = marked(99), marked(99, user="user1"), marked(1, user="user2")
    run = reaping(old, other, fresh)
    unblocked = key("dead1", "user1")
    assert run.still_to_delete([old, unblocked, fresh, marked(99, guid="dead2")]) == [old]


def test_the_report() -> None:
    run = reaping(key("alive"), key("dead1", "user1", spend=2, metadata={"owner": "ada"}), marked(1, user="user2"), marked(99, guid="dead2"))
    one, two = run.report()
    assert one["keys"] == {"block": 1, "wait": 1} and (one["owner"], one["spend"]) == ("ada", 2.0)
    assert (one["orphaned_at"], one["deleted_from"]) == ("2026-11-25T11:00:00Z", "2026-11-28T11:00:00Z")
    assert (two["guid"], two["keys"]) == ("dead2", {"delete": 1})
    assert run.counts() == {"keep": 1, "unblock": 0, "young": 0, "block": 1, "wait": 1, "delete": 1, "unmanaged": 0}
