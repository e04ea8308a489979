# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import directory as directories
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Broken, Busy, Missing, NotReadable, RequestRefused
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import APPROVED, DENIED, IN_REVIEW, Record
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_records import AT

LATER = "2026-11-21T05:00:00Z"


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(str(tmp_path / "state" / "requests"))


def wish(person: str = "ada", **more: object) -> Record:
    return records.new(**{"email": f"{person}@example.com", "models": ["gpt-4"], "at": AT, **more})  # type: ignore[arg-type]


def approve(record: Record) -> Record:
    return transitions.decide(record, APPROVED, by="admin", at=LATER)


def file_of(store: DirectoryStore, record: Record) -> Path:
    return store.directory / f"{record.id}.json"


@pytest.fixture
def careless_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("careless_umask")
def test_nobody_else_may_read_anything(store: DirectoryStore) -> None:
    record = store.submit(wish()).after
    assert record is not None
    store.transition(record, approve)
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700
    names = sorted(os.listdir(store.directory))
    assert names == [".lock", f"{record.id}.json"], "no temporary file is left"
    assert {stat.S_IMODE((store.directory / name).stat().st_mode) for name in names} == {0o600}


def test_asking_again_returns_the_request_as_it_is(store: DirectoryStore) -> None:
    first = store.submit(wish())
    assert first.changed
    assert first.before is None
    assert first.after is not None
    store.transition(first.after, approve)
    again = store.submit(wish("ADA", purpose="please, please", at=LATER))
    assert not again.changed
    assert again.after is not None
    assert (again.after.state, again.after.purpose, again.after.created_at) == (APPROVED, "", AT)
    assert len(store.listing().records) == 1


def test_check_mode_predicts_and_writes_nothing(store: DirectoryStore) -> None:
    rehearsal = DirectoryStore(str(store.directory), check_mode=True)
    assert rehearsal.submit(wish()).after == wish()
    assert not store.directory.exists()
    store.submit(wish())
    before = file_of(store, wish()).read_bytes()
    assert rehearsal.transition(rehearsal.get(wish().id), approve).changed
    assert rehearsal.delete(wish().id).changed
    assert file_of(store, wish()).read_bytes() == before
    assert sorted(os.listdir(store.directory)) == [".lock", f"{wish().id}.json"]


def test_a_lost_race_is_retried_on_the_current_record(store: DirectoryStore) -> None:
    stale = store.submit(wish()).after
    assert stale is not None
    store.transition(stale, lambda record: transitions.mark_notified(record, at=LATER, notices=["review"]))
    after = store.transition(stale, approve).after
    assert after is not None
    assert after.state == APPROVED
    assert after.history[-1].was == "pending"
    with pytest.raises(RequestRefused, match="by now"):
        store.transition(stale, lambda record: transitions.decide(record, DENIED, by="chain", at=LATER, only_from=("pending",)))
    assert store.get(stale.id).state == APPROVED


def test_an_edit_by_hand_counts_as_a_change(store: DirectoryStore) -> None:
    stale = store.submit(wish()).after
    assert stale is not None
    path = file_of(store, stale)
    path.write_text(path.read_text().replace('"state": "pending"', '"state": "denied"'))
    with pytest.raises(RequestRefused, match="is denied by now"):
        store.transition(stale, lambda record: transitions.decide(record, APPROVED, by="chain", at=LATER, only_from=("pending",)))
    assert store.get(stale.id).history[-1].by == "by hand"


def test_it_gives_up_after_losing_the_race_too_often(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    record = store.submit(wish()).after
    assert record is not None
    other = DirectoryStore(str(store.directory))

    def change(mine: Record) -> Record:
        other.transition(other.get(mine.id), lambda theirs: transitions.mark_failed(theirs, at=LATER, step="mail", reason="x"))
        return approve(mine)

    with pytest.raises(Busy, match="12 times in a row"):
        store.transition(record, change)
    assert store.get(record.id).state == "pending"


def test_a_removed_request_is_missing_and_can_be_asked_for_again(store: DirectoryStore) -> None:
    record = store.submit(wish()).after
    assert record is not None
    assert store.delete(record.id).before == record
    assert not store.delete(record.id).changed
    for act in (lambda: store.get(record.id), lambda: store.transition(record, approve)):
        with pytest.raises(Missing, match=record.id):
            act()
    assert store.submit(wish()).before is None


def test_listings(store: DirectoryStore) -> None:
    goals: dict[str, str] = {"ada": "pending", "bob": APPROVED, "cleo": DENIED, "dora": IN_REVIEW}
    for number, (person, goal) in enumerate(goals.items()):
        record = store.submit(wish(person, at=f"2026-11-2{9 - number}T00:00:00Z")).after
        assert record is not None
        if goal != "pending":
            store.transition(record, lambda r, goal=goal: transitions.decide(r, goal, transitions.Ruling("so"), by="admin", at=LATER))  # type: ignore[misc]
    cleo = store.get(wish("cleo").id)
    store.transition(cleo, lambda record: transitions.mark_finished(record, at=LATER))

    def people(**how: object) -> list[str]:
        return [record.email.partition("@")[0] for record in store.listing(**how).records]  # type: ignore[arg-type]

    assert people() == ["dora", "cleo", "bob", "ada"], "oldest first"
    assert people(states=(APPROVED, DENIED)) == ["cleo", "bob"]
    assert people(only_open=True) == ["dora", "bob", "ada"]


def test_a_missing_directory_holds_nothing(store: DirectoryStore) -> None:
    assert store.listing().records == ()
    with pytest.raises(Missing):
        store.get(wish().id)


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("not JSON", lambda path: path.write_text("{")),
        ("not text", lambda path: path.write_bytes(b"\xff\xfe\x00")),
        ("empty", lambda path: path.write_text("")),
        ("nonsense state", lambda path: path.write_text(path.read_text().replace("pending", "aproved"))),
        ("another person", lambda path: path.write_text(path.read_text().replace("ada@", "eve@"))),
        ("infinite", lambda path: path.write_text(json.dumps({**json.loads(path.read_text()), "max_budget": float("inf")}))),
        ("enormous number", lambda path: path.write_text(path.read_text().replace("{", '{"max_budget": 1' + "0" * 400 + ",", 1))),
        ("too large", lambda path: path.write_bytes(b" " * (directories.LARGEST + 1))),
        ("deep", lambda path: path.write_text("[" * 100_000)),
        ("a link elsewhere", lambda path: (path.rename(path.with_name("x")), path.symlink_to(path.with_name("x")))),
        ("a pipe", lambda path: (path.unlink(), os.mkfifo(path))),
        ("a directory", lambda path: (path.unlink(), path.mkdir())),
    ],
)
def test_a_damaged_record_is_set_aside_and_named_and_the_rest_continues(store: DirectoryStore, name: str, spoil: object) -> None:
    for person in ("ada", "bob"):
        store.submit(wish(person))
    path = file_of(store, wish())
    spoil(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else None
    listing = store.listing()
    assert [record.email for record in listing.records] == ["bob@example.com"]
    assert [entry.name for entry in listing.set_aside] == [path.name]
    assert str(path) in listing.set_aside[0].reason
    assert len(listing.set_aside[0].reason) < 500
    with pytest.raises(Broken, match="set aside"):
        store.submit(wish())  # the record must not be overwritten, and no second request made for it
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_file_with_a_hostile_name_is_only_named(store: DirectoryStore) -> None:
    store.submit(wish())
    (store.directory / "\x1b[31m\nx.json").write_text("{}")
    listing = store.listing()
    assert len(listing.records) == 1
    assert listing.set_aside[0].name == "[31m x.json"
    assert listing.set_aside[0].reason.isprintable()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_directory_that_others_may_write_to_is_refused(store: DirectoryStore, mode: int) -> None:
    store.submit(wish())
    store.directory.chmod(mode)
    for act in (store.listing, lambda: store.submit(wish("bob"))):
        with pytest.raises(NotReadable, match="chmod go-w"):
            act()


def test_a_file_in_place_of_the_directory_is_refused(store: DirectoryStore) -> None:
    store.directory.parent.mkdir(parents=True)
    store.directory.write_text("")
    with pytest.raises(NotReadable, match="not a directory"):
        store.listing()


@pytest.mark.parametrize("request_id", ["../../etc/passwd", "", "a/b", "A", ".hidden", "x" * 300, "a\nb", "a..b"])
def test_an_id_is_not_a_path(store: DirectoryStore, request_id: str) -> None:
    with pytest.raises(ValueError, match="not the id of a request"):
        store.get(request_id)
    with pytest.raises(ValueError, match="not the id of a request"):
        store.delete(request_id)


def test_the_directory_of_another_user_is_refused_with_the_rule(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.submit(wish())
    if os.geteuid() == 0:  # a directory of root is nobody else's
        os.chown(store.directory, 4242, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(NotReadable, match=r"belongs to .*uid 4242.*: who owns the directory can approve requests"):
        store.listing()
    with pytest.raises(NotReadable, match="Run this as that user, or keep requests in Kubernetes"):
        store.submit(wish("bob"))


def test_a_listing_that_remembers_reads_what_has_changed_only(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [store.submit(wish(name)).after for name in ("ada", "bob", "eve")]
    remembering = DirectoryStore(str(store.directory), remember=True)
    read: list[str] = []
    content = remembering._content

    def noted(request_id: str) -> bytes | None:
        read.append(request_id)
        return content(request_id)

    monkeypatch.setattr(remembering, "_content", noted)
    ada, bob, eve = (record for record in kept if record is not None)
    assert remembering.listing() == store.listing() and len(read) == 3
    read.clear()
    assert remembering.listing(("pending",)) == store.listing() and read == []
    changed = store.transition(ada, approve).after
    store.delete(bob.id)
    file_of(store, eve).write_text("{")
    assert remembering.listing() == store.listing()
    assert set(read) == {ada.id, eve.id}
    assert [record.state for record in remembering.listing().records] == [changed.state if changed else ""]
    by_hand = json.loads(file_of(store, ada).read_text())
    file_of(store, ada).write_text(json.dumps({**by_hand, "state": "denied"}))
    assert [record.state for record in remembering.listing().records] == [DENIED]
    assert remembering.listing(only_open=True).records == store.listing(only_open=True).records


def test_the_mark_changes_with_every_change_of_a_request_and_with_nothing_else(store: DirectoryStore) -> None:
    marks = [store.mark()]
    assert marks == [None], "there is no directory yet"
    record = store.submit(wish()).after
    assert record is not None
    marks.append(store.mark())
    store.transition(record, approve)
    marks.append(store.mark())
    store.submit(wish("bob"))
    marks.append(store.mark())
    assert len(set(marks)) == 4
    store.write_last_pass({"at": LATER})
    assert [store.mark(), DirectoryStore(str(store.directory)).mark()] == [marks[-1]] * 2


def test_two_changes_within_a_tick_of_the_clock_are_two_marks(store: DirectoryStore) -> None:
    marks = set[object]()
    for number in range(50):
        store.submit(wish(f"ada{number}"))
        marks.add(store.mark())
    assert len(marks) == 50


def test_a_look_at_a_store_at_rest_opens_no_file(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.submit(wish())
    past = 1_000_000_000
    os.utime(store.directory, (past, past))
    first = store.mark()
    monkeypatch.setattr(store, "_names", lambda: pytest.fail("the directory was listed"))
    assert store.mark() == first
