# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Keys that are delivered sealed: real passes, LiteLLM, mail server, stores, and the browser that opens them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery import sealed
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import desk as desks
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Store
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.box_keeper import look_at_box, take_box
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import BoxMissing, BoxOpened
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.kubernetes_secrets import Access, KubernetesStore
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.deadly_pass import FORK, is_killed, make_pass, options_of
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import KEY, Desk
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.opening_page import OpeningPage, opening_page
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import PASS_RULES, Cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.browser import Browser
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import SmtpFactory

PORTAL = "https://keys.example.com"
LINK = re.compile(r"https?://[^/\s]+/open/([0-9a-f-]+\.[0-9a-f]{32})#([A-Za-z0-9_-]{43})")
SECRET = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
SEALED = {"key_requests_delivery_methods": ["sealed"], "key_requests_portal_url": PORTAL}
NEVER = 10_000  # a step that no pass reaches

Link = tuple[str, str]


def links_to(desk: Desk, address: str) -> list[Link]:
    """Return box and secret of every link in the mails to a person, which text and HTML name alike."""
    found = []
    for mail in desk.mails(address):
        (in_text,), (in_page,) = LINK.findall(mail.part("plain")), LINK.findall(mail.part("html"))
        assert in_text == in_page
        found.append(in_text)
    return found


def opened(store: Store, link: Link) -> dict[str, Any]:
    box_id, secret = link
    box = take_box(store, box_id, desks.now(), proof=sealed.opening_proof(secret))
    return sealed.open_sealed(box.contents, secret, box_id=box.id, request_id=box.request_id)


def ask_again(store: Store, request_id: str) -> None:
    """Ask for a new link, ten minutes after the last one."""
    later = durations.iso(datetime.now(UTC) + timedelta(minutes=10))
    assert desks.Desk(store, clock=lambda: later).reseal(request_id).changed


def files_in(desk: Desk) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in desk.queue.rglob("*") if path.is_file())


def archive(desk: Desk) -> str:
    """Return everything that a copy of the mailboxes has."""
    return "".join(mail.message.as_string() + mail.part("plain") + mail.part("html") for mail in desk.server.mailbox.received)


def keys_from(kept: str, mailed: str) -> set[str]:
    """Return the keys that an attacker gets from what a store keeps and what was mailed: every secret is tried on every box."""
    found = set(KEY.findall(kept + mailed))
    secrets = {*SECRET.findall(kept), *SECRET.findall(mailed)}
    boxes = [json.loads(line) for line in kept.split("\n") if '"contents"' in line]
    for box in boxes:
        for secret in secrets:
            try:
                document = sealed.open_sealed(box["contents"], secret, box_id=box["id"], request_id=box["id"].rpartition(".")[0])
            except sealed.CannotOpen:
                continue
            found.add(document["key"])
    return found


@pytest.fixture
def files(desk: Desk) -> DirectoryStore:
    desk.variables.update(SEALED)
    return DirectoryStore(str(desk.queue))


# ------------------------------------------------------------------------------------------------------ who gets what
def test_store_and_mails_give_a_key_only_together_and_only_before_it_was_opened(desk: Desk, files: DirectoryStore, unique: str) -> None:
    ada, bob = f"ada-{unique}@company.com", f"bob-{unique}@company.com"
    for email in (ada, bob):
        desk.ask(email)
    run = desk.process()
    kept, mailed = files_in(desk), archive(desk)
    assert keys_from(kept, "") == set() and keys_from("", mailed) == set()
    both = keys_from(kept, mailed)
    assert len(both) == 2, "the attack works"
    for email in (ada, bob):
        (link,) = links_to(desk, email)
        assert link[1] not in kept + run.output
        document = opened(files, link)
        assert document["key"] in both and desk.gateway.chat(document["key"]).status_code == 200
        assert (document["url"], document["models"]) == (f"{desk.gateway.url}", ["openai/granite-3-2-8b-instruct"])
        with pytest.raises(BoxOpened):
            opened(files, link)
    assert keys_from(files_in(desk), archive(desk)) == set()
    assert desk.statuses() == {("approved", "finished")}


def test_the_mail_in_each_language(desk: Desk, files: DirectoryStore, unique: str) -> None:
    for language, words in {"en": "Open your key", "de": "Ihren Schlüssel öffnen", "es": "Abrir su clave"}.items():
        email = f"{language}-{unique}@company.com"
        desk.ask(email, package="dev", language=language)
        desk.process()
        (mail,) = desk.mails(email)
        assert f"{words}:\n{PORTAL}/open/" in mail.part("plain") and words in mail.part("html") and not KEY.findall(mail.part("plain"))


def test_in_check_mode_nothing_is_sealed_or_mailed(desk: Desk, files: DirectoryStore, unique: str) -> None:
    ada = f"ada-{unique}@company.com"
    desk.ask(ada)
    desk.playbook("process_requests", desk.variables, "--check")
    assert files.boxes.listing().boxes == () and links_to(desk, ada) == []
    desk.process()
    kept = files_in(desk)
    ask_again(files, next(iter(files.boxes.listing().boxes)).request_id)
    desk.playbook("process_requests", desk.variables, "--check")
    assert len(links_to(desk, ada)) == 1 and keys_from(files_in(desk), archive(desk)) == keys_from(kept, archive(desk))


@pytest.mark.parametrize(
    "more", [{"key_requests_portal_url": ""}, {"key_requests_portal_url": "http://keys.example.com"}, {"key_requests_box_lifetime": "soon"}]
)
def test_what_cannot_seal_is_told_before_a_key_is_made(desk: Desk, files: DirectoryStore, unique: str, more: dict[str, str]) -> None:
    request_id = desk.ask(f"ada-{unique}@company.com")
    shown = " ".join(desk.fail(**more).output.split())
    assert "the address of the portal" in shown or "the lifetime of links to sealed keys" in shown
    assert desk.request(request_id)["state"] == "pending" and desk.rows(request_id) == []


# ------------------------------------------------------------------------------------------------------ interruptions
def test_a_pass_that_is_killed_at_any_step_leaves_each_owner_a_link_that_works(desk: Desk, files: DirectoryStore, unique: str) -> None:
    options = options_of(desk, delivery={"methods": ["sealed"], "portal_url": PORTAL})
    cuts = 0
    for step in range(1, 100):
        email = f"k{step}-{unique}@company.com"
        request_id = desk.ask(email)
        killed = is_killed(options, step)
        desk.forget_the_wait()
        assert not is_killed(options, NEVER)
        links = links_to(desk, email)
        assert len({mail.message["Message-ID"] for mail in desk.mails(email)}) == len(links), "no server takes the second for a repeat"
        assert len(files.boxes.listing(only_full=True).boxes) == 1, "none is left over"
        value = opened(files, links[-1])["key"]
        assert value not in files_in(desk) and len(desk.rows(request_id)) == 1 and desk.gateway.chat(value).status_code == 200
        for former in links[:-1]:
            with pytest.raises(BoxMissing):
                opened(files, former)
        assert desk.request(request_id)["progress"]["status"] == "finished"
        if not killed:
            break
        cuts += 1
    assert cuts >= 8


def test_a_new_link_survives_a_pass_that_is_killed_at_any_step(desk: Desk, files: DirectoryStore, unique: str) -> None:
    options = options_of(desk, delivery={"methods": ["sealed"], "portal_url": PORTAL})
    ada = f"ada-{unique}@company.com"
    request_id = desk.ask(ada)
    assert not is_killed(options, NEVER)
    value, cuts = opened(files, links_to(desk, ada)[-1])["key"], 0
    for step in range(1, 100):
        ask_again(files, request_id)
        killed = is_killed(options, step)
        desk.forget_the_wait()
        assert not is_killed(options, NEVER)
        assert opened(files, links_to(desk, ada)[-1])["key"] == value, "the same key, the third time and later"
        assert desk.request(request_id)["progress"]["status"] == "finished"
        if not killed:
            break
        cuts += 1
    assert cuts >= 4


def test_two_passes_at_once_send_one_link(desk: Desk, files: DirectoryStore, unique: str) -> None:
    people = [f"p{number}-{unique}@company.com" for number in range(4)]
    for email in people:
        desk.ask(email)
    options = options_of(desk, delivery={"methods": ["sealed"], "portal_url": PORTAL})
    passes = [FORK.Process(target=make_pass, args=(options, NEVER)) for _number in range(2)]
    for each in passes:
        each.start()
    for each in passes:
        each.join(120)
    assert [each.exitcode for each in passes] == [0, 0]
    for email in people:
        (link,) = links_to(desk, email)
        assert desk.gateway.chat(opened(files, link)["key"]).status_code == 200


def one_of_four_opens(open_box: Callable[[], object]) -> None:
    """Check that of four processes that open a box at the same moment one gets what is in it."""
    results, start = FORK.Queue(), FORK.Barrier(4)

    def take() -> None:
        start.wait()
        try:
            results.put(bool(open_box()))
        except BoxOpened:
            results.put(False)

    processes = [FORK.Process(target=take) for _number in range(4)]
    for each in processes:
        each.start()
    assert sorted(results.get(timeout=60) for _each in processes) == [False, False, False, True]
    for each in processes:
        each.join(60)


def test_of_two_processes_at_the_same_moment_one_opens(desk: Desk, files: DirectoryStore, unique: str) -> None:
    ada = f"ada-{unique}@company.com"
    desk.ask(ada)
    desk.process()
    (link,) = links_to(desk, ada)
    one_of_four_opens(lambda: opened(DirectoryStore(str(desk.queue)), link))


# ------------------------------------------------------------------------------------------------- the life of the key
def rotate(desk: Desk, request_id: str, occasion: str) -> None:
    gateway = {"url": desk.gateway.url, "api_key": desk.gateway.master_key}
    alias = desk.request(request_id)["progress"]["key_alias"]
    call_module("virtual_keys", {**gateway, "keys": [{"alias": alias}], "rotation": occasion}, no_log=True)


def live_through_it_all(desk: Desk, store: Store, unique: str) -> None:
    """Deliver, ask again, rotate twice, revoke: the same on every store."""
    ada, bob = f"ada-{unique}@company.com", f"bob-{unique}@company.com"
    ids = {email: desk.ask(email) for email in (ada, bob)}
    desk.process()
    first = opened(store, links_to(desk, ada)[0])["key"]
    ask_again(store, ids[ada])
    desk.process()
    desk.process()
    assert len(links_to(desk, ada)) == 2 and opened(store, links_to(desk, ada)[1])["key"] == first
    former = first
    for turn in (2, 3):
        rotate(desk, ids[ada], f"leak {turn}")
        desk.act("notices")
        assert "1 keys were rotated" not in desk.act("notices").output, "once for each rotation"
        desk.process()
        value = opened(store, links_to(desk, ada)[turn])["key"]
        assert value != former and desk.gateway.chat(value).status_code == 200 and desk.gateway.chat(former).status_code == 401
        former = value
    rotate(desk, ids[bob], "leak")
    assert "1 keys were rotated, and the next pass mails new links to them" in " ".join(desk.act("notices").output.split())
    with pytest.raises(BoxMissing):
        opened(store, links_to(desk, bob)[0])
    assert store.boxes.listing(only_full=True).boxes == ()
    desk.process()
    assert look_at_box(store, links_to(desk, bob)[1][0], desks.now())[1] == "full"
    ask_again(store, ids[bob])
    desk.gateway.post("/key/delete", keys=[row["token"] for row in desk.rows(ids[bob])])
    desk.process()
    assert desk.request(ids[bob])["progress"]["status"] == "ended" and len(links_to(desk, bob)) == 2
    assert store.boxes.listing(only_full=True).boxes == (), "its box went with it"


def test_the_life_of_sealed_keys_in_files(desk: Desk, files: DirectoryStore, unique: str) -> None:
    live_through_it_all(desk, files, unique)
    desk.module("key_request", state="absent", request_id=files.boxes.listing().boxes[0].request_id)
    assert len(files.boxes.listing().boxes) == 1


@pytest.fixture
def cloud(gateway: Gateway, playbook: Playbooks, smtp: SmtpFactory, kube: Cluster, namespace: str, tmp_path: Path) -> Iterator[tuple[Desk, KubernetesStore]]:
    account = kube.account_with_rules(namespace, PASS_RULES)
    where = {"key_requests_store": "kubernetes", "key_requests_namespace": namespace, "key_requests_kubeconfig": str(account.kubeconfig)}
    desk = Desk(gateway, playbook, smtp(tls="starttls"), tmp_path, **where)
    desk.variables.update(SEALED)
    return desk, KubernetesStore(Access(kubeconfig=str(account.kubeconfig), namespace=namespace))


def test_the_life_of_sealed_keys_in_kubernetes(cloud: tuple[Desk, KubernetesStore], kube: Cluster, namespace: str, unique: str) -> None:
    desk, store = cloud
    live_through_it_all(desk, store, unique)
    made = kube.call("GET", f"/api/v1/namespaces/{namespace}/secrets?labelSelector=app.kubernetes.io/component=llm-key-box")["items"]
    assert {each["metadata"]["labels"]["box-state"] for each in made} == {"empty"} and all("contents" not in each["data"] for each in made)
    assert len(store.listing().records) == len(made) == 2, "no list of requests has them"


def test_in_kubernetes_one_of_many_opens_and_knows_its_own_opening(cloud: tuple[Desk, KubernetesStore], unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, store = cloud
    ada = f"ada-{unique}@company.com"
    request_id = desk.ask(ada)
    desk.process()
    (link,) = links_to(desk, ada)
    one_of_four_opens(lambda: opened(store, link))

    ask_again(store, request_id)
    desk.process()
    patch = store.boxes._patch

    def patch_twice(body: dict[str, Any]) -> None:
        """Repeat the call, as the library does when an answer was lost."""
        patch(body)
        patch(body)

    monkeypatch.setattr(store.boxes, "_patch", patch_twice)
    assert desk.gateway.chat(opened(store, links_to(desk, ada)[1])["key"]).status_code == 200


# ---------------------------------------------------------------------------------------------------------- the browser
@pytest.fixture
def page(desk: Desk, files: DirectoryStore) -> Iterator[OpeningPage]:
    with opening_page(files) as served:
        desk.variables["key_requests_portal_url"] = served.url
        yield served


def state_in(dom: str) -> str:
    found = re.search(r'data-open-now="([a-z]+)"', dom)
    assert found is not None, dom
    (shown,) = re.findall(r'<section data-open-state="([a-z]+)"(?![^>]*hidden)', dom)
    assert shown == found[1], "and nothing else is shown"
    return shown


def test_a_browser_opens_a_key_once_and_only_when_somebody_presses_the_button(desk: Desk, page: OpeningPage, browser: Browser, unique: str) -> None:
    ada = f"ada-{unique}@company.com"
    request_id = desk.ask(ada)
    desk.process()
    box_id, secret = links_to(desk, ada)[0]
    address = f"{page.url}/open/{box_id}"

    def visit(url: str) -> str:
        return browser.dom(url, "--virtual-time-budget=20000")

    page.pressed = False
    assert state_in(visit(f"{address}#{secret}")) == "ready" and page.posts() == [], "a program that looks at links opens nothing"
    page.pressed = True
    assert state_in(visit(address)) == "incomplete" and state_in(visit(f"{address}#{secret[:-1]}")) == "incomplete" and page.posts() == []
    assert state_in(visit(f"{address}#{'A' * 43}")) == "incomplete" and len(page.posts()) == 1, "a wrong secret leaves the box alone"

    dom = visit(f"{address}#{secret}")
    assert state_in(dom) == "shown" and len(page.posts()) == 2, "once, however often the button is pressed"
    (value,) = set(KEY.findall(dom))
    assert desk.gateway.chat(value).status_code == 200 and f"export OPENAI_API_KEY='{value}'" in dom
    assert f'<code data-open-field="url">{desk.gateway.url}</code>' in dom and "granite-3-2-8b-instruct" in dom
    year = desk.request(request_id)["progress"]["expires"][:4]
    assert re.search(rf'<code data-open-field="expires">(?:[A-Z][a-z]+tag|Mittwoch), [^<]*{year} um [^<]*</code>', dom), "the end, in the language of the page"
    assert "<p data-open-never" in dom and re.search(r"<p data-open-never[^>]*hidden", dom)
    assert not any(secret in text or value in text for seen in page.seen for text in seen), "the secret never leaves the browser"

    again = visit(f"{address}#{secret}")
    assert state_in(again) == "opened" and not KEY.findall(again) and re.search(rf"<time data-open-when[^>]*>[^<]*{year}", again)
    assert "Refused to" not in browser.log(f"{address}#{secret}", "--virtual-time-budget=20000"), "with a strict policy"
    assert {path for _method, path, _body in page.seen} <= {f"/open/{box_id}", "/open.js", "/press.js", "/favicon.ico"}
    assert state_in(visit(f"{page.url}/open/4711.{'0' * 32}#{secret}")) == "missing"


def test_a_browser_tells_a_box_that_somebody_changed(desk: Desk, page: OpeningPage, browser: Browser, unique: str) -> None:
    ada = f"ada-{unique}@company.com"
    request_id = desk.ask(ada)
    desk.process()
    box_id, secret = links_to(desk, ada)[0]
    path = desk.queue / "boxes" / f"{request_id}.json"
    box = json.loads(path.read_text())
    path.write_text(json.dumps({**box, "contents": ("A" if box["contents"][0] != "A" else "B") + box["contents"][1:]}))
    assert state_in(browser.dom(f"{page.url}/open/{box_id}#{secret}", "--virtual-time-budget=20000")) == "damaged"
