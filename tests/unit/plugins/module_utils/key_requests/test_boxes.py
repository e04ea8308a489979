# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Sealed boxes in a directory: opened once, by whoever has the whole link, and gone with their requests."""

from __future__ import annotations

import json
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.box_keeper import box_of_request, look_at_box, take_box
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.erasure import erase_person
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import (
    BoxExpired,
    BoxMissing,
    BoxOpened,
    BoxRefused,
    Broken,
    NotReadable,
    StoreError,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.sealed_box import (
    SealedBox,
    box_data,
    box_from_data,
    check_box,
    new_box_id,
    parse_box,
    proof_digest,
    render_box,
)

AT, LATER, END, OVER = "2026-11-21T04:00:00Z", "2026-11-21T05:00:00Z", "2026-11-28T04:00:00Z", "2026-11-28T04:00:01Z"
PROOF, CONTENTS = "p" * 43, "c" * 400


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(str(tmp_path / "requests"))


def ask(store: DirectoryStore, name: str = "ada") -> str:
    after = store.submit(records.new(email=f"{name}@example.com", models=["granite"], at=AT)).after
    assert after is not None
    return after.id


def box_for(request_id: str, owner: str = "ada@example.com") -> SealedBox:
    return SealedBox(new_box_id(request_id), owner, AT, END, "0123456789abcdef", proof_digest(PROOF), CONTENTS)


def put(store: DirectoryStore, request_id: str) -> str:
    box = box_for(request_id)
    store.boxes.put(box)
    return box.id


def everything_in(store: DirectoryStore) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in store.directory.rglob("*") if path.is_file())


def test_a_box_is_opened_once_and_then_knows_only_when(store: DirectoryStore) -> None:
    box_id = put(store, ask(store))
    looked, state = look_at_box(store, box_id, LATER)
    assert (state, looked.contents, looked.owner) == ("full", "", "ada@example.com"), "looking opens nothing"
    taken = take_box(store, box_id, LATER, proof=PROOF)
    assert (taken.contents, taken.opened_at) == (CONTENTS, LATER)
    assert CONTENTS not in everything_in(store)
    with pytest.raises(BoxOpened, match=LATER):
        take_box(store, box_id, LATER, proof=PROOF)
    assert look_at_box(store, box_id, OVER)[1] == "opened", "also after it would have expired"


def test_of_many_at_the_same_moment_one_gets_the_contents(store: DirectoryStore) -> None:
    box_id, results, start = put(store, ask(store)), list[object](), threading.Barrier(8)

    def take() -> None:
        start.wait()
        try:
            results.append(take_box(DirectoryStore(str(store.directory)), box_id, LATER, proof=PROOF).contents)
        except StoreError as error:
            results.append(type(error))

    threads = [threading.Thread(target=take) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, results)) == sorted(map(str, [CONTENTS, *[BoxOpened] * 7]))


def test_who_knows_only_the_address_without_its_fragment_cannot_empty_it(store: DirectoryStore) -> None:
    box_id = put(store, ask(store))
    for wrong in ("", "q" * 43, "\ud800"):
        with pytest.raises(BoxRefused, match="use the whole link"):
            take_box(store, box_id, LATER, proof=wrong)
    assert take_box(store, box_id, LATER, proof=PROOF).contents == CONTENTS
    assert proof_digest(PROOF) != PROOF


def test_an_expired_box_is_not_opened_whether_or_not_it_was_emptied(store: DirectoryStore) -> None:
    request_id = ask(store)
    box_id = put(store, request_id)
    with pytest.raises(BoxExpired, match=END):
        take_box(store, box_id, END, proof=PROOF)
    found = store.boxes.get(request_id)
    assert found is not None and store.boxes.empty(found)
    assert CONTENTS not in everything_in(store) and look_at_box(store, box_id, OVER)[1] == "expired"


def test_a_new_box_takes_the_place_of_the_former(store: DirectoryStore) -> None:
    request_id = ask(store)
    first, second = put(store, request_id), put(store, request_id)
    with pytest.raises(BoxMissing, match="the newest mail"):
        take_box(store, first, LATER, proof=PROOF)
    assert take_box(store, second, LATER, proof=PROOF).contents == CONTENTS
    assert len(store.boxes.listing().boxes) == 1


@pytest.mark.parametrize("box_id", ["", "x", "../../etc/passwd", f"../x.{'0' * 32}", f".{'0' * 32}", "a." + "0" * 31, "4711\x00." + "0" * 32, "a" * 500])
def test_what_is_not_the_id_of_a_box_is_a_missing_box(store: DirectoryStore, box_id: str) -> None:
    ask(store)
    for call in (lambda: take_box(store, box_id, AT, proof=PROOF), lambda: look_at_box(store, box_id, AT)):
        with pytest.raises(BoxMissing):
            call()


def test_who_guesses_the_id_of_a_request_learns_nothing(store: DirectoryStore) -> None:
    request_id = ask(store)
    put(store, request_id)
    with pytest.raises(BoxMissing) as there:
        look_at_box(store, f"{request_id}.{'0' * 32}", AT)
    with pytest.raises(BoxMissing) as not_there:
        look_at_box(store, f"4711.{'0' * 32}", AT)
    assert str(there.value) == str(not_there.value)


def test_the_owner_sees_the_box_of_a_request(store: DirectoryStore) -> None:
    request_id = ask(store)
    assert box_of_request(store, request_id, AT) is None
    put(store, request_id)
    found = box_of_request(store, request_id, AT)
    assert found is not None and found[1] == "full" and found[0].contents == ""


def test_files_are_private_and_in_a_folder_of_their_own(store: DirectoryStore) -> None:
    request_id = ask(store)
    put(store, request_id)
    folder = store.directory / "boxes"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / f"{request_id}.json").stat().st_mode) == 0o600
    assert "boxes" not in (store.directory / f"{request_id}.json").read_text() and [record.id for record in store.listing().records] == [request_id]
    (folder / f"{request_id}.json").unlink()
    (folder / f"{request_id}.json").symlink_to("/etc/hostname")
    with pytest.raises(NotReadable):
        store.boxes.get(request_id)
    os.chmod(store.directory, 0o770)
    with pytest.raises(NotReadable, match="could approve requests"):
        store.boxes.get(request_id)


def test_a_box_that_cannot_be_read_stops_no_other(store: DirectoryStore) -> None:
    ada, bob = ask(store), ask(store, "bob")
    for request_id in (ada, bob):
        put(store, request_id)
    (store.directory / "boxes" / f"{ada}.json").write_text("{}")
    listing = store.boxes.listing()
    assert [box.request_id for box in listing.boxes] == [bob] and [name for name, _reason in listing.unreadable] == [f"{ada}.json"]
    with pytest.raises(Broken, match="remove it"):
        store.boxes.get(ada)
    put(store, ada)
    assert len(store.boxes.listing(only_full=True).boxes) == 2


def test_only_full_boxes_are_read_twice(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [put(store, ask(store, name)) for name in ("ada", "bob")]
    take_box(store, ids[0], LATER, proof=PROOF)
    assert [box.id for box in store.boxes.listing(only_full=True).boxes] == [ids[1]]
    read: list[str] = []
    monkeypatch.setattr(type(store.boxes), "_read", lambda _self, request_id: read.append(request_id))
    store.boxes.listing(only_full=True)
    assert read == [ids[1].rpartition(".")[0]]


def test_a_box_goes_with_its_request(store: DirectoryStore) -> None:
    request_id = ask(store)
    put(store, request_id)
    assert store.delete(request_id, only_if=lambda record: False).after is not None
    assert store.boxes.get(request_id) is not None
    store.delete(request_id)
    assert store.boxes.listing().boxes == () and list((store.directory / "boxes").glob("*")) == []


def test_an_erased_person_has_no_box(store: DirectoryStore) -> None:
    put(store, ask(store))
    store.boxes.put(box_for("4711", "ADA@example.com"))  # of a request that somebody removed by hand
    store.boxes.put(box_for(bob := ask(store, "bob"), "bob@example.com"))
    erasure = erase_person(store, "ada@example.com", lambda: LATER, patience=1)
    assert erasure.complete and [box.request_id for box in store.boxes.listing().boxes] == [bob]
    assert "ada@example.com" not in everything_in(store).lower()


def test_in_check_mode_nothing_is_written(store: DirectoryStore) -> None:
    request_id = ask(store)
    box_id = put(store, request_id)
    before = everything_in(store)
    dry = DirectoryStore(str(store.directory), check_mode=True)
    dry.boxes.put(box_for(request_id))
    found = dry.boxes.get(request_id)
    assert found is not None and dry.boxes.empty(found)
    assert take_box(dry, box_id, LATER, proof=PROOF).contents == CONTENTS
    dry.delete(request_id)
    assert everything_in(store) == before


def test_what_a_store_holds_is_what_was_put() -> None:
    box = box_for("4711")
    assert parse_box(json.loads(json.dumps(render_box(box)))) == box
    assert box_from_data({name: value for name, value in box_data(box).items() if value}, "1") == box
    assert box_data(box.emptied(opened_at=LATER))["contents"] is None
    assert box.emptied(opened_at=LATER).emptied(withdrawn_at=OVER).opened_at == LATER
    assert CONTENTS not in repr(box)


@pytest.mark.parametrize(
    "change",
    [
        {"owner": "nobody"},
        {"made_at": "yesterday"},
        {"contents": "<script>"},
        {"contents": "c" * 100_001},
        {"proof_digest": "0"},
        {"key_mark": "sk-"},
        {"opened_at": LATER},
        {"id": "4711"},
    ],
)
def test_a_box_that_nobody_made_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        check_box(replace(box_for("4711"), **change))


@pytest.mark.parametrize("document", [None, [], {}, {"format": True}, {"format": 0}, {"format": 1, "id": 4}])
def test_a_document_that_is_not_a_box_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        parse_box(document)
