# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A directory of requests that root shares with a group: two users of it work on the same requests, and nobody else."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.box_keeper import take_box
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import NotReadable, StoreError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import APPROVED
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.sealed_box import SealedBox, new_box_id, proof_digest
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_records import AT

PORTAL, WORKER, STRANGER = 64_001, 64_002, 64_003
GROUP, OTHER_GROUP = 64_101, 64_102
LATER, END, PROOF = "2026-11-21T05:00:00Z", "2026-11-28T04:00:00Z", "p" * 43

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


def as_user(uid: int, work: Callable[[], object], gid: int = GROUP) -> str:
    """Do the work in a process of this user; return its result or its error as a text."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        os.umask(0o077)
        try:
            said = str(work())
        except Exception as error:  # noqa: BLE001 - the test compares it
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        found = pipe.read().decode()
    os.waitpid(child, 0)
    return found


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that all users can reach, as the role makes it."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        found = Path(parent, "requests")
        found.mkdir()
        os.chown(found, 0, GROUP)
        found.chmod(0o2770)
        yield found


def ask(directory: Path, person: str = "ada") -> str:
    after = DirectoryStore(str(directory)).submit(records.new(email=f"{person}@example.com", models=["granite"], at=AT)).after
    assert after is not None
    return after.id


def approve(directory: Path, request_id: str) -> str:
    store = DirectoryStore(str(directory))
    after = store.transition(store.get(request_id), lambda record: transitions.decide(record, APPROVED, by="admin", at=LATER)).after
    assert after is not None
    return after.state


def listed(directory: Path) -> str:
    return ",".join(f"{record.email}:{record.state}" for record in DirectoryStore(str(directory)).listing().records)


def seal(directory: Path, request_id: str) -> str:
    box = SealedBox(new_box_id(request_id), "ada@example.com", AT, END, "0123456789abcdef", proof_digest(PROOF), "c" * 400)
    DirectoryStore(str(directory)).boxes.put(box)
    return box.id


def test_one_asks_and_the_other_decides_seals_and_reports(directory: Path) -> None:
    request_id = as_user(PORTAL, lambda: ask(directory))
    assert as_user(WORKER, lambda: approve(directory, request_id)) == "approved"
    box_id = as_user(WORKER, lambda: seal(directory, request_id))
    assert as_user(PORTAL, lambda: take_box(DirectoryStore(str(directory)), box_id, LATER, proof=PROOF).contents) == "c" * 400
    as_user(WORKER, lambda: DirectoryStore(str(directory)).write_last_pass({"at": LATER}))
    assert as_user(PORTAL, lambda: DirectoryStore(str(directory)).last_pass()) == str({"at": LATER})
    assert as_user(PORTAL, lambda: listed(directory)) == "ada@example.com:approved" == listed(directory)
    assert as_user(PORTAL, lambda: seal(directory, ask(directory, "bob"))) and as_user(WORKER, lambda: seal(directory, ask(directory, "eve")))
    for path in directory.rglob("*"):
        about = path.stat()
        assert (about.st_gid, stat.S_IMODE(about.st_mode)) == (GROUP, 0o2770 if path.is_dir() else 0o660), path


def test_what_root_does_there_leaves_it_to_the_group(directory: Path) -> None:
    request_id = ask(directory)
    assert as_user(WORKER, lambda: approve(directory, request_id)) == "approved"


def test_nobody_else_sees_or_changes_anything(directory: Path) -> None:
    request_id = as_user(PORTAL, lambda: ask(directory))
    for work in (lambda: listed(directory), lambda: ask(directory, "eve"), lambda: approve(directory, request_id)):
        assert "cannot be" in as_user(STRANGER, work, OTHER_GROUP)
    assert as_user(PORTAL, lambda: listed(directory)) == "ada@example.com:pending"


@pytest.mark.parametrize(("uid", "gid", "mode"), [(0, GROUP, 0o770), (0, GROUP, 0o2772), (0, GROUP, 0o3770), (0, 0, 0o2770), (PORTAL, GROUP, 0o2770)])
def test_only_root_shares_and_only_so(directory: Path, uid: int, gid: int, mode: int) -> None:
    os.chown(directory, uid, gid)
    directory.chmod(mode)
    with pytest.raises(NotReadable, match="chmod go-w|belongs to"):
        DirectoryStore(str(directory)).listing()
    with pytest.raises(StoreError):
        ask(directory)


def test_a_link_in_place_of_a_report_is_not_followed(directory: Path) -> None:
    """One of the users must not have the other one's files read."""
    secret = directory.parent / "secret"
    secret.write_text('{"master_key": "sk-1"}')
    (directory / ".last-pass").symlink_to(secret)
    with pytest.raises(NotReadable, match="symbolic links"):
        DirectoryStore(str(directory)).last_pass()
