# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Opening a sealed key in the browser: what the page and its call tell, and to whom."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.sealed import open_sealed, seal
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import APPROVED, Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.sealed_box import SealedBox, new_box_id, proof_digest
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import AT, TestPortal, Visitor

ADA, KEY = "ada@company.com", "sk-hush-0123456789"
END = "2026-11-28T04:00:00Z"


class Link:
    """A key that was made and sealed for a request of Ada's, and the link to it."""

    def __init__(self, site: TestPortal) -> None:
        self.site = site
        record = site.ask(ADA)
        after = site.store.transition(record, lambda found: _with_key(transitions.decide(found, APPROVED, by="admin", at=AT))).after
        assert after is not None
        self.record = after
        self.id = new_box_id(record.id)
        self._sealed = seal({"key": KEY}, box_id=self.id, request_id=record.id)
        box = SealedBox(self.id, ADA, AT, END, "0123456789abcdef", proof_digest(self._sealed.proof), self._sealed.contents)
        site.store.boxes.put(box)

    def open(self, visitor: Visitor, *, proof: str = "", token: str | None = None) -> tuple[int, dict[str, Any]]:
        """Open it as the script of the page does."""
        headers = {"X-CSRF-Token": visitor.token() if token is None else token}
        answer = visitor.client.post(f"/open/{self.id}", json={"proof": proof or self._sealed.proof}, headers=headers)
        found = answer.json() if answer.headers["content-type"] == "application/json" else {}
        assert answer.headers["cache-control"] == "no-store"
        return answer.status_code, found

    def read(self, found: dict[str, Any]) -> Any:
        return open_sealed(found["contents"], self._sealed.secret, box_id=found["id"], request_id=found["request_id"])


def _with_key(record: Record) -> Record:
    return replace(record, progress=replace(record.progress, minted_at=AT, key_alias="request-x", expires=END, delivered={"sealed": AT}, finished_at=AT))


@pytest.fixture
def link(site: TestPortal) -> Link:
    return Link(site)


def test_the_page_takes_nothing_and_is_the_same_for_every_id(link: Link, visitor: Visitor) -> None:
    visitor.see("/sent")
    pages = [re.sub(f"{box_id}|[0-9a-f]{{64}}", "", visitor.see(f"/open/{box_id}")) for box_id in (link.id, link.id, "no-such-box")]
    assert pages[0] == pages[1] == pages[2] and "data-open-button" in pages[0]
    answer = visitor.client.get(f"/open/{link.id}")
    assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == ("no-referrer", "no-store")
    assert link.open(visitor)[0] == 200


def test_it_opens_once(link: Link, visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    status, found = link.open(visitor)
    assert status == 200 and link.read(found) == {"key": KEY}
    assert link.open(visitor) == (410, {"code": "box_opened", "opened_at": AT})
    (entry,) = [each.message for each in caplog.records if each.name == "portal.audit"]
    assert link.record.id in entry and ADA in entry
    assert KEY not in caplog.text and found["contents"] not in caplog.text


@pytest.mark.parametrize("proof", ["x", "A" * 43, "ü" * 43])
def test_a_link_without_its_end_opens_nothing_and_spoils_nothing(link: Link, visitor: Visitor, proof: str) -> None:
    assert link.open(visitor, proof=proof) == (403, {"code": "box_refused"})
    assert link.open(visitor)[0] == 200


def test_a_call_from_elsewhere_opens_nothing(link: Link, visitor: Visitor) -> None:
    assert [link.open(visitor, token=token)[0] for token in ("", "0" * 64)] == [403, 403]
    assert link.open(visitor)[0] == 200


def test_what_is_over_or_unknown(link: Link, visitor: Visitor) -> None:
    link.site.at = "2026-11-28T04:00:01Z"
    assert link.open(visitor) == (410, {"code": "box_expired"})
    link.id = "nothing"
    assert link.open(visitor) == (404, {"code": "box_missing"})


@pytest.mark.parametrize("body", [None, {}, {"proof": 7}, {"proof": "p" * 300}, {"proof": {"a": 1}}])
def test_bodies_of_others_are_refused(link: Link, visitor: Visitor, body: Any) -> None:
    answer = visitor.client.post(f"/open/{link.id}", json=body, headers={"X-CSRF-Token": visitor.token()})
    assert answer.status_code == 422


def test_the_owner_sees_whether_it_was_opened_and_gets_a_new_link(link: Link, site: TestPortal) -> None:
    owner = Visitor(site)
    owner.sign_in(ADA)
    path = f"/mine/{link.record.id}"
    assert "The key waits to be opened, until" in owner.see(path)
    link.open(owner)
    site.at = "2026-11-21T05:00:00Z"
    assert "The key was opened on" in owner.see(path)
    assert owner.send(f"{path}/reseal") == f"{path}?said=resealed"
    assert "You asked for a new link." in owner.see(f"{path}?said=resealed")
    assert site.store.get(link.record.id) != link.record


def test_nobody_else_gets_a_new_link(link: Link, site: TestPortal) -> None:
    other = Visitor(site)
    other.sign_in("eve@company.com")
    other.send(f"/mine/{link.record.id}/reseal", status=404)
    assert site.store.get(link.record.id) == link.record
