# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A request that is removed, or that the store refuses to change, in the middle of a pass hinders no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import MoreTime
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreRejected
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.delivery import DeliverySettings
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.post import PostResult
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_desk import FakePost, TestDesk

BOTH = DeliverySettings(["kubernetes_secret", "mail"], url="https://llm.example.com", namespace="keys")
REVIEW = [{"name": "human_review", "config": {"email": ["one@company.com", "two@company.com"], "patterns": ["*"]}}]


class NosyPost(FakePost):
    """Does something before the first thing of each kind is sent."""

    before: Callable[[], Any] = staticmethod(lambda: None)

    def _take(self, content: Mapping[str, Any], target: str) -> PostResult:
        self.before()
        return super()._take(content, target)


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    desk = TestDesk(tmp_path)
    desk.post = NosyPost()
    return desk


def removes(desk: TestDesk, request_id: str) -> None:
    desk.post.before = lambda: desk.people.forget(request_id)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["key", "review", "denial", "renewal"])
@pytest.mark.parametrize("first", [True, False])
def test_a_request_that_is_removed_while_a_pass_sends_stops_no_other(desk: TestDesk, kind: str, first: bool) -> None:
    desk.post.webhooks = {"chat": ["review", "denial", "renewal"]}
    names = ["ada", "bob"]
    ids = {name: desk.ask(name, domain="elsewhere.com" if kind == "denial" else "company.com") for name in names}
    settings: dict[str, Any] = {"delivery": BOTH} if kind == "key" else {}
    if kind == "review":
        desk.rules = REVIEW
    if kind == "renewal":
        desk.make_pass()
        ids = {name: desk.people.renew(request_id, MoreTime("1d", from_end=True)).after.id for name, request_id in ids.items()}  # type: ignore[union-attr]
    gone, kept = names if first else reversed(names)
    removes(desk, ids[gone])
    desk.make_pass(**settings)
    desk.make_pass(**settings)
    record = desk.get(ids[kept])
    assert record.progress.status == "finished" or (kind == "review" and len(record.progress.notified) == 3)


class PickyStore(DirectoryStore):
    """Refuses to change some requests, as an API does whose Secret is immutable or too large."""

    stones: Sequence[str] = ()

    def _replace(self, record: Record) -> Record:
        if record.id in self.stones:
            raise StoreRejected("The Kubernetes API refuses to patch the request in the namespace requests: it is immutable.")
        return super()._replace(record)


@pytest.mark.parametrize("approved", [False, True])
def test_a_request_that_the_store_refuses_to_change_stops_no_other(desk: TestDesk, tmp_path: Path, approved: bool) -> None:
    desk.store = store = PickyStore(str(tmp_path / "requests"))
    ids = [desk.ask(name) for name in ("ada", "bob", "eve")]
    if approved:
        desk.people.approve(ids[1], by="boss")
    store.stones = [ids[1]]
    report = desk.make_pass()
    assert [desk.get(each).progress.status for each in ids] == ["finished", "", "finished"]
    assert report.failed and "immutable" in " ".join(report.lines())
    assert len(desk.gateway.keys) == 2, "and no key is made for it"
