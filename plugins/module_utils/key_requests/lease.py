# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The turn of a pass over requests in Kubernetes: a Lease, which its holder renews as long as the pass is at work.

Clocks of different machines are never compared. Whoever waits takes the Lease over when it has not changed for its whole
duration by the waiting program's own clock. The report of the last pass is an annotation of the Lease. What passes publish are
annotations of Leases that nobody holds, because those who may only ask or decide cannot write Leases.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TypeAlias

from .errors import Busy, Conflict, Exists, Missing, StoreError

NAME = "llm-key-requests"
REPORT = "litellm-virtual-keys.rhpds/last-pass"
PUBLISHED = "llm-key-published-"
"""Begins the names of the Leases that publish."""
CONTENT = "litellm-virtual-keys.rhpds/published"
SECONDS = 30
RENEWALS = 3
"""How often a Lease is renewed while it lasts."""
LARGEST_REPORT = 200_000
"""Bytes of a report on the Lease, whose annotations may have 256 KiB in all."""
_POLL_SECONDS = 0.5

Call: TypeAlias = Callable[[str, Mapping[str, Any] | None], dict[str, Any]]
"""Makes one call for the Lease: `get`, `create` or `patch`, with a body. Raises StoreError."""


def _fitting(report: Mapping[str, Any]) -> str:
    """Return the report as JSON, with as many entries of its lists as there is room for. After an outage each request has one."""
    room = max((len(value) for value in report.values() if isinstance(value, list)), default=0)
    while True:
        shown = {name: value[:room] if isinstance(value, list) else value for name, value in report.items()}
        text = json.dumps(shown, ensure_ascii=False)
        if room == 0 or len(text.encode()) <= LARGEST_REPORT:
            return text
        room //= 2


class LeaseTurn:
    """The turn of one pass. Use `hold`."""

    def __init__(self, call: Call, place: str) -> None:
        self._call = call
        self._place = place
        self._holder = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._writing = threading.Lock()
        self._version = ""
        self._renewed = 0.0
        self._lost = False

    def check(self) -> None:
        """Raise Busy if another pass may have begun, because the Lease could not be renewed in time."""
        if self._lost or time.monotonic() - self._renewed > SECONDS:
            raise Busy(f"This pass lost its turn in {self._place}, because it could not renew its Lease for {SECONDS} s; the next pass goes on.")

    def report(self, report: Mapping[str, Any]) -> None:
        """Keep `report` on the Lease."""
        self._patch({"metadata": {"annotations": {REPORT: _fitting(report)}}})

    def take(self, patience: float) -> None:
        """Take the Lease. Raises Busy if others held it for `patience` seconds."""
        deadline = time.monotonic() + patience
        seen, since = "", time.monotonic()
        while True:
            try:
                lease = self._read()
                version, holder = lease["metadata"]["resourceVersion"], (lease.get("spec") or {}).get("holderIdentity")
                if version != seen:
                    seen, since = version, time.monotonic()
                if not holder or time.monotonic() - since > SECONDS:
                    self._version = version
                    self._patch(self._claim())
                    return
            except (Conflict, Exists):
                continue  # another program was faster
            if time.monotonic() > deadline:
                raise Busy(f"Another pass was at work in {self._place} for {patience:g} s; wait until it has ended.")
            time.sleep(_POLL_SECONDS)

    def renew(self, stop: threading.Event) -> None:
        """Renew the Lease until `stop`."""
        while not stop.wait(SECONDS / RENEWALS):
            try:
                self._patch(self._claim())
            except Conflict:
                self._lost = True
                return
            except StoreError:
                continue  # `check` tells when it has lasted too long

    def release(self) -> None:
        """Give the Lease back, so that the next pass need not wait."""
        with suppress(StoreError):
            self._patch({"spec": {"holderIdentity": ""}})

    def _read(self) -> dict[str, Any]:
        try:
            return self._call("get", None)
        except Missing:
            return self._call("create", {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME}, "spec": {}})

    def _claim(self) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"spec": {"holderIdentity": self._holder, "leaseDurationSeconds": SECONDS, "renewTime": now}}

    def _patch(self, body: Mapping[str, Any]) -> None:
        with self._writing:
            began = time.monotonic()
            metadata = {**body.get("metadata", {}), "resourceVersion": self._version}
            lease = self._call("patch", {**body, "metadata": metadata})
            self._version = lease["metadata"]["resourceVersion"]
            self._renewed = began


@contextmanager
def hold(call: Call, place: str, patience: float) -> Iterator[LeaseTurn]:
    """Hold the Lease while the block runs. Raises Busy if others held it for `patience` seconds."""
    turn, stop = LeaseTurn(call, place), threading.Event()
    turn.take(patience)
    renewal = threading.Thread(target=turn.renew, args=(stop,), name="lease", daemon=True)
    renewal.start()
    try:
        yield turn
    finally:
        stop.set()
        renewal.join()
        turn.release()


def last_pass(call: Call) -> dict[str, Any] | None:
    """Return the report that the last pass kept, or None."""
    try:
        report = json.loads((call("get", None)["metadata"].get("annotations") or {}).get(REPORT, "null"))
    except (Missing, ValueError):
        return None
    return report if isinstance(report, dict) else None


def published_lease(name: str, text: bytes) -> dict[str, Any]:
    """Return the Lease, or the patch of it, that publishes `text` (ASCII) under `name`."""
    metadata = {"name": PUBLISHED + name, "annotations": {CONTENT: text.decode("ascii")}}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": {}}


def published_text(found: Mapping[str, Any]) -> bytes | None:
    """Return the text that a Lease publishes, or None if it publishes none."""
    text = (found["metadata"].get("annotations") or {}).get(CONTENT)
    return None if text is None else str(text).encode()
