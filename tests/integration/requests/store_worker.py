# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Another user of the same store of requests, in its own process, for races and for kill -9.

    python store_worker.py '{"directory": "..."}' submit 40

The first argument is how to reach the store: `{"directory": path}`, or the fields of `Access` for Kubernetes. The worker
prints `ready`, waits for a line on its standard input, and then works:

- `submit N` submits the requests of N people, and prints how many of them were new;
- `fail N` records N failures on the request of person 0;
- `die N` approves that request, and is killed with SIGKILL before the N-th call that touches the file system.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Store
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import APPROVED, Record

AT = "2026-11-21T04:00:00Z"
CALLS = ("open", "fsync", "rename", "unlink", "mkdir", "close")


def wish(number: int, **more: Any) -> Record:
    """Return the request of person `number`, the same in all workers."""
    return records.new(**{"email": f"person{number}@example.com", "models": ["gpt-4"], "at": AT, **more})


def open_store(access: dict[str, Any]) -> Store:
    if "directory" in access:
        return DirectoryStore(access["directory"])
    from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.kubernetes_secrets import Access, KubernetesStore

    return KubernetesStore(Access(**access))


def submit(store: Store, count: int) -> int:
    return sum(store.submit(wish(number)).before is None for number in range(count))


def fail(store: Store, count: int) -> int:
    for _turn in range(count):
        store.transition(store.get(wish(0).id), lambda record: transitions.mark_failed(record, at=AT, step="mail", reason="no"))
    return count


def die(store: Store, count: int) -> int:
    record = store.get(wish(0).id)
    left = [count]

    def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return wrapped

    for name in CALLS:
        setattr(os, name, deadly(getattr(os, name)))
    store.transition(record, lambda r: transitions.decide(r, APPROVED, by="admin", at=AT))
    return count - left[0]


def main() -> None:
    access, work, count = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    store = open_store(access)
    print("ready", flush=True)
    sys.stdin.readline()
    print({"submit": submit, "fail": fail, "die": die}[work](store, count), flush=True)


if __name__ == "__main__":
    main()
