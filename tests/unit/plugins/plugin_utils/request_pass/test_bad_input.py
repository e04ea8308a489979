# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Whatever is typed, approved or edited into a record by hand: it is refused at the door in a sentence, or it hinders nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import MoreTime
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreError
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_desk import TestDesk

TEXTS = {
    "a key": "sk-" + "a" * 43,
    "a path": "../../etc/passwd",
    "html": "<img src=x onerror=alert(1)>",
    "jinja": "{{ lookup('ansible.builtin.pipe', 'touch pwned') }}",
    "10 kB": "x" * 10_240,
    "overrides": "gran\u202eetinarg",
    "lines": "granite\r\nBcc: eve@example.com",
    "nothing": " ",
    "a nul": "gran\x00ite",
    "a half": "gran\ud800ite",
    "all": "*",
}
DURATIONS = ["never", "0", "0d", "1y", "-1d", "1.5d", "9" * 40 + "d", "1d" * 21, "\u0661d", "99999999d", *TEXTS.values()]
ODD: list[Any] = [None, "", "x", "sk-" + "a" * 43, -1, 0, 1.5, True, [], ["x"], [{}], {}, {"x": "y"}, "x" * 10_240, "\u202e", 10**400]


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    return TestDesk(tmp_path)


def check_sentence(error: BaseException) -> None:
    text = str(error)
    assert 10 < len(text) < 600 and "Traceback" not in text and text.endswith((".", ")"))
    assert "a" * 43 not in text and "\u202e" not in text and "\x00" not in text


def tried(desk: TestDesk, work: Any) -> None:
    """Do something odd, and see that an ordinary request is served all the same, and that every pass is the last one for it."""
    try:
        work()
    except (StoreError, ValueError) as error:
        check_sentence(error)
    ada = desk.ask()
    desk.make_pass()
    assert desk.get(ada).progress.status == "finished"
    assert desk.make_pass().due == 0


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("field", ["package", "models", "guid", "user", "purpose", "language", "origin"])
def test_whatever_is_typed_hinders_nobody(desk: TestDesk, field: str, text: str) -> None:
    wish: dict[str, Any] = {"models": (text,)} if field == "models" else {field: text, **({"guid": "abc12"} if field == "user" else {})}
    tried(desk, lambda: desk.ask("eve", **wish))


@pytest.mark.parametrize("duration", DURATIONS)
def test_a_duration_is_one_or_is_refused(desk: TestDesk, duration: str) -> None:
    tried(desk, lambda: desk.ask("eve", duration=duration))


@pytest.mark.parametrize("duration", DURATIONS)
def test_more_time_is_a_duration_or_is_refused(desk: TestDesk, duration: str) -> None:
    first = desk.ask("eve")
    desk.make_pass()
    tried(desk, lambda: desk.people.renew(first, MoreTime(duration=duration, from_end=True)))
    assert desk.get(first).state == "approved"


@pytest.mark.parametrize("budget", [-1, float("nan"), float("inf"), 10**400, 1e308])
def test_a_budget_is_an_amount_or_is_refused(desk: TestDesk, budget: float) -> None:
    tried(desk, lambda: desk.ask("eve", max_budget=budget))


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("term", ["models", "duration", "max_budget", "rpm_limit", "tpm_limit", "team_id", "beyond", "unknown"])
@pytest.mark.parametrize("beyond", [False, True])
def test_whatever_is_granted_hinders_nobody(desk: TestDesk, term: str, value: Any, beyond: bool) -> None:
    eve = desk.ask("eve")
    tried(desk, lambda: desk.people.approve(eve, by="boss", granted={term: value}, beyond=beyond))


def fields_of(document: dict[str, Any]) -> list[tuple[str, ...]]:
    return [(name,) for name in document] + [("progress", name) for name in document["progress"]] + [("history", name) for name in document["history"][0]]


RECORD_FIELDS = [
    *(
        (name,)
        for name in ("format", "id", "email", "models", "package", "purpose", "duration", "max_budget", "guid", "user", "renews", "from_end", "language")
    ),
    *(
        (name,)
        for name in ("state", "reason", "cancelled", "terms", "granted", "reviewers", "review", "trace", "progress", "history", "created_at", "updated_at")
    ),
    *(("progress", name) for name in ("minted_at", "key_alias", "expires", "delivered", "finished_at", "ended_at", "stopped_at", "approvals", "failure")),
    *(("history", name) for name in ("at", "by", "from", "to", "reason", "terms", "policy", "former_trace", "former_key")),
]


@pytest.mark.parametrize("path", RECORD_FIELDS, ids=".".join)
def test_a_record_that_was_edited_by_hand_hinders_nobody(desk: TestDesk, path: tuple[str, ...]) -> None:
    eve = desk.ask("eve")
    desk.make_pass()
    file = Path(desk.store.directory) / f"{eve}.json"
    good = file.read_text()
    for number, value in enumerate(ODD):
        document = json.loads(good)
        where = document if len(path) == 1 else document[path[0]] if path[0] == "progress" else document[path[0]][-1]
        where[path[-1]] = value
        file.write_text(json.dumps(document))
        ada = desk.ask(f"ada{number}")
        report = desk.make_pass()
        assert desk.get(ada).progress.status == "finished", value
        for entry in report.set_aside:
            assert entry.name == f"{eve}.json" and "a" * 43 not in entry.reason and len(entry.reason) < 1000
        assert len(desk.gateway.keys) == number + 2, "no second key for whoever edited the record"


def test_what_a_newer_release_wrote_is_kept_and_goes_on(desk: TestDesk) -> None:
    eve = desk.ask("eve")
    file = Path(desk.store.directory) / f"{eve}.json"
    newer = {**json.loads(file.read_text()), "format": 99, "mood": {"good": True}}
    newer["history"][0]["mood"] = "good"
    file.write_text(json.dumps(newer))
    desk.make_pass()
    document = json.loads(file.read_text())
    assert desk.get(eve).progress.status == "finished"
    assert (document["format"], document["mood"], document["history"][0]["mood"]) == (99, {"good": True}, "good")


@pytest.mark.parametrize("name", ["terms", "granted"])
@pytest.mark.parametrize("by_hand", [False, True])
def test_terms_written_into_a_waiting_request_are_not_what_an_approval_starts_from(desk: TestDesk, name: str, by_hand: bool) -> None:
    request_id = desk.ask()
    path = desk.store.directory / f"{request_id}.json"
    planted = {name: {"models": ["llama"], "duration": "3650d", "max_budget": 100_000, "beyond": True}}
    path.write_text(json.dumps({**json.loads(path.read_text()), **planted, **({"state": "approved"} if by_hand else {})}))
    if not by_hand:
        desk.people.approve(request_id, by="boss")
    desk.make_pass()
    (wanted,) = desk.gateway.wanted
    assert (wanted["models"], wanted["duration"], wanted["max_budget"]) == (["granite", "mistral"], "30d", 5)
