# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The directory of requests, with real processes that race, are killed, or run out of disk."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests import store_worker as worker


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(str(tmp_path / "requests"))


def start(store: DirectoryStore, work: str, count: int) -> subprocess.Popen[str]:
    access = json.dumps({"directory": str(store.directory)})
    command = [sys.executable, worker.__file__, access, work, str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(*processes: subprocess.Popen[str]) -> list[int]:
    """Let the workers begin together, and return what each of them counted."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [int(output) for output in outputs]


def test_two_submitters_at_the_same_time_make_one_request_for_each_person(store: DirectoryStore) -> None:
    counts = go(start(store, "submit", 60), start(store, "submit", 60))
    assert sum(counts) == 60
    assert len(store.listing().records) == 60
    assert store.listing().set_aside == ()


def test_no_change_of_two_simultaneous_writers_is_lost(store: DirectoryStore) -> None:
    store.submit(worker.wish(0))
    go(start(store, "fail", 60), start(store, "fail", 60))
    failure = store.get(worker.wish(0).id).progress.failure
    assert failure is not None
    assert failure.attempts == 120


def test_kill_9_before_every_call_leaves_the_old_record_or_the_new_one(store: DirectoryStore) -> None:
    seen = set()
    for cut in range(1, 100):
        shutil.rmtree(store.directory, ignore_errors=True)
        for number in (0, 1):
            store.submit(worker.wish(number))
        process = start(store, "die", cut)
        process.communicate("go\n", timeout=60)
        listing = store.listing()
        assert listing.set_aside == ()
        assert len(listing.records) == 2
        seen.add((store.get(worker.wish(0).id).state, process.returncode))
        # the next writer is not blocked, and finishes the work
        left = store.get(worker.wish(0).id)
        after = store.transition(left, lambda r: transitions.decide(r, records.APPROVED, by="next", at=worker.AT)).after
        assert after is not None
        assert after.state == records.APPROVED
        assert not list(store.directory.glob(".scratch")), "the next writer cleans up"
        if process.returncode == 0:
            break
    assert seen == {("pending", -signal.SIGKILL), ("approved", -signal.SIGKILL), ("approved", 0)}, "killed before and after the replacement"
    assert cut > 10, "killed at many places"


def in_a_small_file_system(tmp_path: Path, options: str, script: str) -> dict[str, Any]:
    """Run a script for which `tmp_path/small` is a separate file system that only it can see; return its output."""
    small = tmp_path / "small"
    small.mkdir()
    shell = f'mount -t tmpfs -o {options} tmpfs "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", shell, "sh", str(small), sys.executable, PRELUDE + script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "unshare" in done.stderr and "Operation not permitted" in done.stderr:
        pytest.skip("this machine lets no ordinary process mount a file system of its own (user namespaces are off)")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


PRELUDE = """
import json, os, subprocess, sys
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreError
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.store_worker import AT, wish
store = DirectoryStore(sys.argv[1] + "/requests")
def attempt(act):
    try:
        act()
    except StoreError as error:
        return [error.code, str(error)]
store.submit(wish(0))
"""


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    script = """
filler = open(sys.argv[1] + "/filler", "wb")
try:
    while True:
        filler.write(b"x" * 4096)
        filler.flush()
except OSError:
    pass
errors = [
    attempt(lambda: store.submit(wish(1))),
    attempt(lambda: store.transition(store.get(wish(0).id), lambda r: transitions.decide(r, "approved", by="a" * 200, at=AT))),
]
full = [record.state for record in store.listing().records]
os.truncate(sys.argv[1] + "/filler", 0)
later = attempt(lambda: store.submit(wish(1)))
print(json.dumps({"errors": errors, "full": full, "later": later, "files": sorted(os.listdir(store.directory))}))
"""
    result = in_a_small_file_system(tmp_path, "size=64k", script)
    for code, message in result["errors"]:
        assert code == "not_writable"
        assert "No space left on device" in message
        assert "nothing was changed" in message
    assert result["full"] == ["pending"]
    assert result["later"] is None
    assert len(result["files"]) == 3, "two requests and the lock, no partial file"


def test_a_read_only_directory_is_read_and_not_written(tmp_path: Path) -> None:
    script = """
subprocess.run(["mount", "-o", "remount,ro", sys.argv[1]], check=True)
errors = [
    attempt(lambda: store.submit(wish(1))),
    attempt(lambda: store.transition(store.get(wish(0).id), lambda r: transitions.decide(r, "approved", by="admin", at=AT))),
    attempt(lambda: store.delete(wish(0).id)),
]
print(json.dumps({"errors": errors, "again": attempt(lambda: store.submit(wish(0))), "states": [r.state for r in store.listing().records]}))
"""
    result = in_a_small_file_system(tmp_path, "size=1m", script)
    assert [error[0] for error in result["errors"]] == ["not_writable"] * 3
    assert "Read-only file system" in result["errors"][0][1]
    assert result["again"] is None, "asking again only reads"
    assert result["states"] == ["pending"]
