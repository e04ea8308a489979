# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Passes that deliver keys sealed: what is kept, what is mailed, when a key is sealed anew, and when its box is emptied."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery import sealed
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.audit import audit_events
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.box_keeper import box_of_request, look_at_box, take_box
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import (
    BoxMissing,
    BoxOpened,
    NotWritable,
    RequestRefused,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import RESEAL
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.delivery import DeliverySettings, key_mark
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.options import PASS_SPEC, pass_settings
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.post import PostResult
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.sealing import reseal_rotated
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_desk import TestDesk

PORTAL = "https://keys.example.com"
SEALED = DeliverySettings(["sealed"], url="https://llm.example.com", portal_url=PORTAL)
LINK = re.compile(rf"{PORTAL}/open/(?P<box>[0-9a-f-]+\.[0-9a-f]{{32}})#(?P<secret>[A-Za-z0-9_-]{{43}})")
ADA = "ada@company.com"


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    found = TestDesk(tmp_path)
    found.settings = replace(found.settings, delivery=SEALED)
    return found


def links_to(desk: TestDesk, address: str = ADA) -> list[tuple[str, str]]:
    """Return box and secret of every link that was mailed to a person."""
    found = [LINK.fullmatch(mail["link"]) for mail in desk.post.sent if mail.get("to") == address and "link" in mail]
    return [(link["box"], link["secret"]) for link in found if link]


def opened(desk: TestDesk, link: tuple[str, str]) -> dict[str, Any]:
    box_id, secret = link
    box = take_box(desk.store, box_id, desk.at, proof=sealed.opening_proof(secret))
    return sealed.open_sealed(box.contents, secret, box_id=box.id, request_id=box.request_id)


def stored(desk: TestDesk) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in desk.store.directory.rglob("*") if path.is_file())


def value_of(desk: TestDesk, request_id: str) -> str:
    return str(desk.gateway.keys[desk.get(request_id).progress.key_alias]["value"])


def test_the_mail_has_a_link_and_the_store_a_box_that_only_the_link_opens(desk: TestDesk) -> None:
    ada = desk.ask("ada", language="de")
    desk.make_pass()
    (mail,) = desk.post.sent
    ((box_id, secret),) = links_to(desk)
    assert (mail["kind"], mail["language"], mail["link_expires"]) == ("approval", "de", "2026-11-28T04:00:00Z") and "value" not in mail
    value = value_of(desk, ada)
    assert value not in stored(desk) and secret not in stored(desk) and value not in str(mail)
    assert desk.get(ada).progress.status == "finished" and set(desk.get(ada).progress.delivered) == {"sealed"}
    box, state = look_at_box(desk.store, box_id, desk.at)
    assert (box.owner, box.request_id, state) == (ADA, ada, "full")
    document = opened(desk, (box_id, secret))
    assert (document["key"], document["url"], document["models"], document["expires"]) == (
        value,
        "https://llm.example.com",
        ["granite", "mistral"],
        "2026-12-21T04:00:00Z",
    )
    desk.make_pass()
    assert len(desk.post.sent) == 1, "once"


def test_a_link_lives_no_longer_than_its_key(desk: TestDesk) -> None:
    desk.ask("ada")
    desk.make_pass(delivery=replace(SEALED, box_lifetime="60d"))
    assert desk.post.sent[0]["link_expires"] == "2026-12-21T04:00:00Z"


def test_a_mail_that_fails_is_sent_again_with_a_new_link_and_another_id(desk: TestDesk) -> None:
    ada = desk.ask("ada")
    desk.post.results[ADA] = PostResult(False, "no route")
    desk.make_pass()
    lost = box_of_request(desk.store, ada, desk.at)
    assert lost is not None and desk.get(ada).progress.status == "failed"
    desk.post.results.clear()
    desk.hours_later(1)
    desk.make_pass()
    (link,) = links_to(desk)
    assert link[0] != lost[0].id and len(desk.store.boxes.listing().boxes) == 1
    assert opened(desk, link)["key"] == value_of(desk, ada)


def test_what_a_mail_server_quotes_of_a_link_is_not_noted(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = desk.ask("ada")
    seen: list[str] = []

    def refuse(messages: Any) -> list[PostResult]:
        seen.extend(message["link"] for message in messages)
        return [PostResult(False, f"550 spam {message['link']}", final=True) for message in messages]

    monkeypatch.setattr(desk.post, "send", refuse)
    report = desk.make_pass()
    secret = seen[0].rpartition("#")[2]
    assert "550 spam" in report.failures[0].reason and secret not in stored(desk) + str(report.as_dict())
    found = box_of_request(desk.store, ada, desk.at)
    assert found is not None and found[1] == "withdrawn", "nobody has its link"
    assert desk.store.boxes.listing(only_full=True).boxes == ()


def test_a_box_that_cannot_be_kept_is_no_mail(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob = desk.ask("ada"), desk.ask("bob")
    put = desk.store.boxes.put
    full = NotWritable("the disk is full.")

    def put_or_fail(box: Any) -> None:
        if box.request_id == ada:
            raise full
        put(box)

    monkeypatch.setattr(desk.store.boxes, "put", put_or_fail)
    desk.make_pass()
    failure = desk.get(ada).progress.failure
    assert failure is not None and failure.reason == "sealed: the box could not be kept: the disk is full."
    assert desk.post.kinds_to(ADA) == [] and desk.get(bob).progress.status == "finished"


def test_the_owner_asks_for_another_link_and_gets_the_same_key(desk: TestDesk) -> None:
    ada = desk.ask("ada")
    desk.make_pass()
    with pytest.raises(RequestRefused, match="got a link just now; look for the mail, or ask again after 2026-11-21T04:05:00Z"):
        desk.people.reseal(ada)
    desk.hours_later(1)
    first = links_to(desk)[0]
    assert desk.people.reseal(ada).changed
    assert not desk.people.reseal(ada).changed, "one is on its way"
    assert desk.get(ada).open and RESEAL in desk.get(ada).progress.notified
    desk.make_pass()
    second = links_to(desk)[1]
    assert desk.post.sent[0]["id"] != desk.post.sent[1]["id"]
    assert desk.get(ada).progress.status == "finished" and RESEAL not in desk.get(ada).progress.notified
    with pytest.raises(BoxMissing):
        opened(desk, first)
    assert opened(desk, second)["key"] == value_of(desk, ada)
    with pytest.raises(BoxOpened):
        opened(desk, second)
    desk.hours_later(2)
    desk.people.reseal(ada, by="portal")
    desk.make_pass()
    assert opened(desk, links_to(desk)[2])["key"] == value_of(desk, ada)
    told = [(event["event"], event.get("by") or event.get("method")) for event in audit_events([desk.get(ada)])]
    assert told.count(("key_delivered", "sealed")) == 3 and told.count(("key_made", None)) == 1
    assert ("changed", ADA) in told and ("changed", "portal") in told


def test_a_new_link_whose_mail_fails_stays_wished_for(desk: TestDesk) -> None:
    ada = desk.ask("ada")
    desk.make_pass()
    desk.hours_later(1)
    desk.people.reseal(ada)
    desk.post.results[ADA] = PostResult(False, "no route")
    desk.make_pass()
    assert desk.get(ada).progress.status == "failed"
    desk.post.results.clear()
    desk.hours_later(2)
    desk.make_pass()
    assert opened(desk, links_to(desk)[1])["key"] == value_of(desk, ada)
    assert desk.get(ada).progress.status == "finished"


def test_who_has_no_sealed_key_gets_no_link(desk: TestDesk) -> None:
    waiting = desk.ask("eve", domain="evil.com")
    mailed = desk.ask("ada")
    desk.make_pass(delivery=replace(SEALED, methods=["mail"]))
    for request_id in (waiting, mailed):
        with pytest.raises(RequestRefused, match="no key was sealed for it"):
            desk.people.reseal(request_id)
    ended = desk.ask("bob")
    desk.make_pass()
    desk.at = "2026-12-22T04:00:00Z"
    with pytest.raises(RequestRefused, match="its key has ended; ask for a new key"):
        desk.people.reseal(ended)


def test_a_wish_that_nobody_can_grant_any_more_is_a_failure(desk: TestDesk) -> None:
    ada = desk.ask("ada")
    desk.make_pass()
    desk.hours_later(1)
    desk.people.reseal(ada)
    mail = replace(SEALED, methods=["mail"])
    desk.make_pass(delivery=mail)
    failure = desk.get(ada).progress.failure
    assert failure is not None and "keys are not delivered sealed any more" in failure.reason and desk.get(ada).progress.status == "stopped"


def test_a_box_whose_key_has_ended_or_that_is_too_old_is_emptied(desk: TestDesk) -> None:
    ids = {name: desk.ask(name) for name in ("ada", "bob", "cleo")}
    desk.make_pass()
    desk.gateway.delete(desk.get(ids["ada"]).progress.key_alias)
    desk.store.transition(desk.get(ids["ada"]), lambda record: transitions.mark_ended(record, at=desk.at))
    (desk.store.directory / f"{ids['bob']}.json").unlink()
    desk.make_pass()
    (left,) = desk.store.boxes.listing(only_full=True).boxes
    assert left.request_id == ids["cleo"] and {box.request_id for box in desk.store.boxes.listing().boxes} == {ids["ada"], ids["cleo"]}
    desk.at = "2026-11-28T04:00:00Z"
    desk.make_pass(delivery=replace(SEALED, methods=["mail"]))
    assert len(desk.store.boxes.listing(only_full=True).boxes) == 1, "sites that seal nothing look after no boxes"
    desk.make_pass()
    assert desk.store.boxes.listing(only_full=True).boxes == ()
    assert sorted(box.state(desk.at) for box in desk.store.boxes.listing().boxes) == ["expired", "withdrawn"]


def test_a_rotated_key_is_sealed_anew_also_for_who_opened_the_former(desk: TestDesk) -> None:
    ids = {name: desk.ask(name) for name in ("ada", "bob", "cleo")}
    desk.make_pass()
    opened(desk, links_to(desk, "bob@company.com")[0])
    keys = [{"alias": alias, "key_id": derive.token(key["value"])} for alias, key in desk.gateway.keys.items()]
    records = [desk.get(each) for each in ids.values()]
    assert reseal_rotated(desk.store, records, keys, SEALED, desk.at).lines() == []
    for name in ("ada", "bob"):
        alias = desk.get(ids[name]).progress.key_alias
        desk.gateway.keys[alias] = {**desk.gateway.keys[alias], "value": derive.value("s" * 16, alias, 1)}
    keys = [{"alias": alias, "key_id": derive.token(key["value"])} for alias, key in desk.gateway.keys.items()]
    report = reseal_rotated(desk.store, records, keys, SEALED, desk.at)
    assert report.lines() == ["2 keys were rotated, and the next pass mails new links to them."]
    assert [box.request_id for box in desk.store.boxes.listing(only_full=True).boxes] == [ids["cleo"]]
    assert reseal_rotated(desk.store, [desk.get(each) for each in ids.values()], keys, SEALED, desk.at).resealed == 0
    with pytest.raises(BoxMissing, match="not the present one any more"):
        opened(desk, links_to(desk)[0])
    desk.make_pass()
    for name in ("ada", "bob"):
        assert opened(desk, links_to(desk, f"{name}@company.com")[1])["key"] == value_of(desk, ids[name])
    assert len(links_to(desk, "cleo@company.com")) == 1
    assert reseal_rotated(desk.store, [desk.get(each) for each in ids.values()], keys, SEALED, desk.at).lines() == []


def test_the_owner_of_a_key_in_a_secret_and_a_box_gets_one_mail(desk: TestDesk) -> None:
    ada = desk.ask("ada")
    desk.make_pass(delivery=replace(SEALED, methods=["sealed", "kubernetes_secret"], namespace="llm-keys", secret_prefix="llm-virtual-key-"))
    secret, mail = desk.post.sent
    assert secret["kind"] == "Secret" and mail["secret_name"] == secret["metadata"]["name"] and links_to(desk)
    assert set(desk.get(ada).progress.delivered) == {"kubernetes_secret", "sealed"}


def test_the_mark_of_a_value_is_not_its_token() -> None:
    assert derive.token("sk-1").startswith(key_mark("sk-1")) and len(key_mark("sk-1")) == 16


@pytest.mark.parametrize(
    ("delivery", "reason"),
    [
        ({"methods": ["sealed"]}, "set key_requests_portal_url"),
        ({"methods": ["sealed"], "portal_url": "http://keys.example.com"}, "browsers decrypt keys on https pages only"),
        ({"methods": ["sealed", "mail"], "portal_url": PORTAL}, "choose one of them"),
        ({"methods": ["sealed"], "portal_url": PORTAL, "box_lifetime": "soon"}, "the lifetime of links to sealed keys"),
    ],
)
def test_settings_that_cannot_seal_are_refused_before_anything_is_made(delivery: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        pass_settings(options_of(delivery))


def test_a_missing_library_is_told_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "CRYPTOGRAPHY_ERROR", ImportError("No module named 'cryptography'"))
    with pytest.raises(ValueError, match="cryptography is missing where Ansible runs"):
        pass_settings(options_of({"methods": ["sealed"], "portal_url": PORTAL}))
    pass_settings(options_of({"methods": ["mail"]}))


def options_of(delivery: dict[str, Any]) -> dict[str, Any]:
    result = ArgumentSpecValidator(PASS_SPEC).validate({"delivery": delivery, "gateway": {"url": "https://llm.example.com", "api_key": "sk-1234"}})
    assert not result.error_messages
    return dict(result.validated_parameters)
