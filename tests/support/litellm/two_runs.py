# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Two runs on one lab at once: the second one begins and ends between two exchanges of the first with the gateway."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.api import KeyApi
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.key_worlds import ModelSite, RealSite

SECRET = "the secret of two runs at once"
USERS = ("user1", "user2")
MORE_EXCHANGES_THAN_ANY_RUN_HAS = 60

OPERATIONS: dict[str, dict[str, Any]] = {
    "begin": {"keys": [{"user": user} for user in USERS], "models": ["all-proxy-models"], "duration": "1d"},
    "provision": {"keys": [{"user": user} for user in (*USERS, "user3")], "models": ["all-proxy-models"], "duration": "2d"},
    "provision with a label": {"keys": [{"user": user} for user in (*USERS, "user3")], "models": ["all-proxy-models"], "duration": "2d", "rotation": "zero"},
    "rotate": {"rotation": "first"},
    "rotate again": {"rotation": "second"},
    "rotate with grace": {"rotation": "third", "rotation_grace": "1h"},
    "stop": {"blocked": True},
    "extend": {"extend_for": "40d"},
    "annotate": {"keys": [{"user": user, "metadata": {"note": "x"}} for user in USERS], "create": False},
    "destroy": {"state": "absent"},
}


@dataclass
class Meeting:
    """A lab after two runs of which the second one came before the exchange `number` of the first."""

    site: RealSite | ModelSite
    now: Callable[[], datetime]
    number: int
    guid: str
    between: str = ""
    """The first run's exchange that came after the second run: method and path."""
    results: list[dict[str, Any]] = field(default_factory=list)

    def run(self, operation: str, url: str = "") -> dict[str, Any]:
        arguments = {**self.site.connection, "secret": SECRET, "guid": self.guid, "proof": "none", "parallel_calls": 1, **OPERATIONS[operation]}
        return run_module("virtual_keys", {**arguments, **({"url": url} if url else {})}, no_log=True)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.site.rows(self.guid)

    @property
    def in_service(self) -> dict[str, dict[str, Any]]:
        found = [row for row in self.rows if ".retired-" not in row["key_alias"]]
        assert len({row["key_alias"] for row in found}) == len(found), "two keys with one alias"
        return {row["key_alias"]: row for row in found}

    def revoked_values_that_work(self) -> list[str]:
        """Return the alias and generation of each value that works although its key was deleted at some time."""
        client = Client(Connection(url=self.site.connection["url"], api_key=self.site.connection["api_key"]))
        deleted = {row.token for row in KeyApi(client).deleted_keys_like(self.guid) or []}
        client.close()
        found = []
        for user in (*USERS, "user3"):
            alias = f"virtkey-{self.guid}-{user}"
            values = {f"{alias} {number}": derive.value(SECRET, alias, number) for number in range(4)}
            found += [name for name, value in values.items() if derive.token(value) in deleted and self.site.works(value)]
        return found

    def days_left(self, row: dict[str, Any]) -> float:
        return (datetime.fromisoformat(row["expires"]) - self.now()) / timedelta(days=1)


def meetings(site: RealSite | ModelSite, now: Callable[[], datetime], first: str, second: str) -> Iterator[Meeting]:
    """Let two runs meet at every exchange of the first, each time in a lab of its own with two keys of one day."""
    for number in range(MORE_EXCHANGES_THAN_ANY_RUN_HAS):
        meeting = Meeting(site, now, number, f"m{uuid.uuid4().hex[:8]}")
        begun = meeting.run("begin")
        assert not begun.get("failed"), begun["msg"]
        harm = Harm("call", skip=number, times=1)

        def meet(after: bool, meeting: Meeting = meeting) -> None:
            if not after:
                meeting.results.append(meeting.run(second))

        harm.work = meet
        with FaultyProxy(site.connection["url"], harm) as proxy:
            meeting.results.insert(0, meeting.run(first, proxy.url))
            passed = proxy.take()
            meeting.between = f"{passed[number].method} {passed[number].path}" if number < len(passed) else ""
        if len(meeting.results) < 2:
            return
        yield meeting
    raise AssertionError(f"{first} has more exchanges than {MORE_EXCHANGES_THAN_ANY_RUN_HAS}")


def check_meeting(meeting: Meeting, first: str, second: str) -> None:
    """Check that the work of both runs is done, whichever of them counts as the later one, and that no revoked value works."""
    where = f"{second} came before the exchange {meeting.number} of {first}, {meeting.between}"
    assert not meeting.revoked_values_that_work(), where
    for result in meeting.results:
        for key in result.get("virtual_keys", []):
            assert "value" not in key or derive.token(key["value"]) == key["key_id"], f"the value of another key was returned: {where}"
    done = {operation for operation, result in zip((first, second), meeting.results, strict=True) if not result.get("failed")}
    assert second in done, (where, meeting.results[1].get("msg"))
    in_service = meeting.in_service
    if second == "destroy":
        if not first.startswith("provision"):  # which may come after the other, and makes new keys then
            assert not meeting.rows, f"keys are left: {where}"
        return
    assert {f"virtkey-{meeting.guid}-{user}" for user in USERS} <= in_service.keys(), (where, [result.get("msg") for result in meeting.results])
    begun = [in_service[f"virtkey-{meeting.guid}-{user}"] for user in USERS]
    assert first in done, (where, meeting.results[0].get("msg"))
    if "stop" in done:
        assert all(row["blocked"] for row in begun), f"a key was started again: {where}"
    if "extend" in done and not (first == "rotate with grace" and meeting.between.endswith("/key/update")):  # which asks just before
        assert all(meeting.days_left(row) > 39 for row in begun), f"a key lost its later end: {where}"
    if done & {"provision", "provision with a label"}:
        assert len(in_service) == 3, where
    retired = [row for row in meeting.rows if ".retired-" in row["key_alias"]]
    assert "rotate with grace" in done or not retired, f"a former value lives on: {where}"
