# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The portal with many people at once: pages, REST calls and decisions, over stores of several sizes; its memory, the size of its first
page, and the time from an approval to the mail, with a worker at a real gateway."""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import re
import statistics
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.catalogue_snapshot import publish_catalogue, snapshot_of
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import now
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.document import render_document
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import DENIED, Record
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.bench import Bench, numbers
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.people import Call, Calls, PeopleAtOnce
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.results import Bar, Result
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import PASSWORD, PortalProcess, running_portal
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal_visitor import PortalVisitor, key_links, mail_variables
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.requests_worker import RequestsWorker, reviewed_and_sealed
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Server, mail_servers
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Cell, Table

SHORT = {"requests": [1000], "seconds": 3}
MODELS = 40
SECRET = "the secret of the sessions of this case"
BASIC = {"Authorization": "Basic " + b64encode(f"admin:{PASSWORD}".encode()).decode()}
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OWN = 10
"""Requests on which each administrator decides, in turn."""
BARRED = ("form", "list", "decision")
MOST_MILLISECONDS, MOST_BYTES, MOST_MEGABYTES, MOST_SECONDS = 100.0, 150_000, 150.0, 5.0
LISTED = 1000
"""The size of the list for which there is a bar."""
APPROVALS = 5


@dataclass(frozen=True)
class Kind:
    """One kind of call, measured with so many requests in the store: milliseconds with a call every second, and without pause."""

    name: str
    stored: int
    calm: list[float]
    busy: list[float]
    busy_seconds: float

    @property
    def row(self) -> list[Cell]:
        return [self.name, self.stored, statistics.median(self.calm), p95(self.calm), max(self.calm), p95(self.busy), len(self.busy) / self.busy_seconds]


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--people", type=int, default=50, help="people who use the portal at once (%(default)s)")
    parser.add_argument("--requests", type=numbers, default=[1000, 10000], help="requests in the portal's store (%(default)s)")
    parser.add_argument("--seconds", type=int, default=10, help="for how long each kind of call is made (%(default)s)")


def run(bench: Bench) -> Result:
    folder = bench.directory / "portal-load"
    folder.mkdir()
    kinds: list[Kind] = []
    held: dict[int, float] = {}
    first_page = 0
    with mail_servers(folder) as make:
        mail = make(tls="none")
        for stored in bench.options.requests:
            with _portal(folder / str(stored), stored, mail) as portal:
                first_page = first_page_bytes(portal.url)
                kinds += measured(bench, portal, stored)
                held[stored] = portal.memory()
        waits = from_approval_to_mail(bench, folder / "worker", mail)
    return Result([table(bench, kinds)], list(bars(kinds, held, first_page, waits)))


@contextlib.contextmanager
def _portal(folder: Path, stored: int, mail: Server) -> Iterator[PortalProcess]:
    folder.mkdir()
    fill(folder / "requests", stored)
    often = {f"PORTAL_{name}": "1000000/hour" for name in ("MAILS_PER_PEER", "REQUESTS_PER_PEER", "REQUESTS_PER_ADDRESS", "MAILS_PER_ADDRESS")}
    more = {"LITELLM_KEY_REQUESTS_DIR": str(folder / "requests"), "PORTAL_SECRET": SECRET, **often, **mail_variables(mail.port)}
    with running_portal(folder, **more) as portal:
        yield portal


def fill(directory: Path, count: int, *, answered: bool = False) -> list[Record]:
    """Write so many requests into a directory, without the care of a store, and publish a catalogue beside them."""
    store = DirectoryStore(str(directory))
    names = [f"provider/model-{number}" for number in range(MODELS)]
    packages = {"dev": {"models": names[:2], "duration": "30d", "max_budget": 5}}
    publish_catalogue(store, snapshot_of(now(), names, packages=packages, looks={"dev": {"title": "Development"}}))
    made: list[Record] = []
    for number in range(count):
        at = f"2026-11-{1 + number % 28:02}T{number % 24:02}:00:00Z"
        request = records.new(email=f"person{number}@company.com", models=[names[number % MODELS]], purpose="Trying code completion. " * 4, at=at)
        if answered:  # to the end, because the worker would send each of them a mail before it looks at others
            denied = transitions.decide(request, DENIED, transitions.Ruling("Not this year."), by="chain", at=at)
            request = transitions.mark_finished(denied, at=at)
        made.append(request)
        (directory / f"{request.id}.json").write_text(json.dumps(render_document(made[-1])))
    return made


# ------------------------------------------------------------------------------------------------------ what people do
def kinds_of_calls(portal: PortalProcess, stored: int, people: int) -> dict[str, Calls]:
    """Return what each person calls at each turn, by kind."""
    listed = requests.get(f"{portal.url}/api/v1/admin/requests?page_size=500", headers=BASIC, timeout=60).json()["requests"]
    ids = [entry["id"] for entry in listed]
    browser, admin = PortalVisitor(portal), PortalVisitor(portal, PASSWORD)
    token, reader = admin.token(), browser.token()
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.session.cookies.items())}
    admins = {**BASIC, "Cookie": "; ".join(f"{name}={value}" for name, value in admin.session.cookies.items())}
    page = {"Accept": "text/html", "Accept-Encoding": "gzip"}
    assert len(reader) == len(token) and len(ids) >= people * min(OWN, len(ids) // people)
    own = min(OWN, len(ids) // people)

    def decided(person: int, turn: int) -> tuple[str, str]:
        """Return the request on which a person decides at a turn, and how: each of its own is denied, then approved, and so on."""
        return ids[person * own + turn % own], "deny" if turn // own % 2 == 0 else "approve"

    def decision(person: int, turn: int) -> Call:
        request_id, action = decided(person, turn)
        body = urlencode({"csrf": token, "reason": f"Turn {turn}"}).encode()
        return Call("POST", f"/admin/{request_id}/{action}", {**admins, **page, **FORM}, body, (303,))

    def decision_by_rest(person: int, turn: int) -> Call:
        request_id, action = decided(person, turn)
        return Call("POST", f"/api/v1/admin/requests/{request_id}/{action}", {**BASIC, **JSON}, json.dumps({"reason": f"Turn {turn}."}).encode())

    def asked(person: int, turn: int) -> Call:
        body = {"llm": "provider/model-1", "email": f"new{person}-{turn}-{time.monotonic_ns()}@company.com"}
        return Call("POST", "/api/request-key", JSON, json.dumps(body).encode())

    pages = max(1, stored // 25)
    return {
        "form": lambda _person, _turn: Call("GET", "/ask", {**page, **cookie}),
        "list": lambda person, turn: Call("GET", f"/admin?tab=all&page={1 + (person * 7 + turn) % pages}", {**page, **admins}),
        "list, searched": lambda person, _turn: Call("GET", f"/admin?tab=all&q=person{person}", {**page, **admins}),
        "one request": lambda person, turn: Call("GET", f"/admin/{ids[(person + turn) % len(ids)]}", {**page, **admins}),
        "decision": decision,
        "list while others decide": lambda person, turn: decision(person, turn) if person % 5 == 0 else Call("GET", "/admin?tab=all", {**page, **admins}),
        "list by REST": lambda person, turn: Call("GET", f"/api/v1/admin/requests?page={1 + (person + turn) % 20}", BASIC),
        "whole list by REST": lambda _person, _turn: Call("GET", "/api/admin/requests?filter=all", BASIC),
        "decision by REST": decision_by_rest,
        "request by REST": asked,
    }


def measured(bench: Bench, portal: PortalProcess, stored: int) -> Iterable[Kind]:
    people = PeopleAtOnce(portal.url, bench.options.people)
    for name, calls in kinds_of_calls(portal, stored, people.people).items():
        people.without_pause(calls, 1)  # nobody measures the first look at a page
        calm = people.every_second(calls, bench.options.seconds)
        began = time.perf_counter()
        busy = people.without_pause(calls, bench.options.seconds)
        kind = Kind(name, stored, calm, busy, time.perf_counter() - began)
        bench.say(f"  {name}, {stored} requests: p95 {p95(calm):.0f} ms, without pause {p95(busy):.0f} ms")
        yield kind


# ---------------------------------------------------------------------------------------------------- the other figures
def first_page_bytes(url: str) -> int:
    """Return the bytes of the first page and of everything that it loads, as a browser with an empty cache gets them."""
    with requests.Session() as session:
        session.trust_env = False
        page = session.get(f"{url}/ask", headers={"Accept": "text/html", "Accept-Encoding": "gzip"}, timeout=60, stream=True)
        content = page.raw.read(decode_content=False)
        text = gzip.decompress(content) if page.headers.get("content-encoding") == "gzip" else content
        found = [len(content)]
        for path in sorted(set(re.findall(r'(?:href|src)="(/static/[^"]+)"', text.decode()))):
            answer = session.get(url + path, headers={"Accept-Encoding": "gzip"}, timeout=60, stream=True)
            found.append(len(answer.raw.read(decode_content=False)))
    return sum(found)


def from_approval_to_mail(bench: Bench, folder: Path, mail: Server) -> list[float]:
    """Return the seconds from the answer to an approval on a page until the mail with the link has come, with the largest store."""
    folder.mkdir()
    directory = folder / "requests"
    fill(directory, max(bench.options.requests), answered=True)
    store, waits = DirectoryStore(str(directory)), list[float]()
    with running_portal(folder, LITELLM_KEY_REQUESTS_DIR=str(directory), PORTAL_SECRET=SECRET, **mail_variables(mail.port)) as portal:
        given = reviewed_and_sealed(bench.gateway.url, bench.gateway.master_key, str(directory), portal.url, mail)
        worker = RequestsWorker(folder, given)
        worker.start()
        try:
            admin = PortalVisitor(portal, PASSWORD)
            for number in range(APPROVALS):
                email = f"bench{number}@company.com"
                wish = records.new(email=email, models=MOCK_MODELS[:1], purpose="A demo", at=now())
                request = store.submit(wish).after
                assert request is not None
                _until(lambda request=request: store.get(request.id).state == "in-review")
                admin.approve(request.id)
                began = time.perf_counter()
                _until(lambda email=email: key_links(mail.mailbox, email))
                waits.append(time.perf_counter() - began)
                bench.say(f"  from approval to mail: {waits[-1]:.1f} s")
        finally:
            worker.stop()
    bench.remove("request-")
    return waits


def _until(is_so: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError(f"the worker did nothing for {seconds} s.")
        time.sleep(0.02)


def table(bench: Bench, kinds: Iterable[Kind]) -> Table:
    columns = ["call", "requests", "median ms", "p95 ms", "longest ms", "p95 ms, no pause", "calls/s"]
    note = (
        f"{bench.options.people} people at once, each over a connection of their own: with a call of each every second, and then each calling again as "
        "soon as it was answered, which is as fast as the portal can."
    )
    return Table("The portal with many people", columns, [kind.row for kind in kinds], note)


def bars(kinds: Iterable[Kind], held: dict[int, float], first_page: int, waits: list[float]) -> Iterable[Bar]:
    for kind in kinds:
        if kind.name in BARRED and kind.stored == LISTED:
            time_of = p95(kind.calm)
            yield Bar(f"the portal: {kind.name}, p95", f"under {MOST_MILLISECONDS:.0f} ms", f"{time_of:.0f} ms", time_of < MOST_MILLISECONDS)
    yield Bar("the portal: first page with all that it loads", f"under {MOST_BYTES:,} bytes", f"{first_page:,} bytes", first_page < MOST_BYTES)
    for stored, megabytes in held.items():
        yield Bar(f"the portal: memory with {stored:,} requests", f"under {MOST_MEGABYTES:.0f} MB", f"{megabytes:.0f} MB", megabytes < MOST_MEGABYTES)
    yield Bar("the portal: from approval to mail, the longest", f"within {MOST_SECONDS:.0f} s", f"{max(waits):.1f} s", max(waits) <= MOST_SECONDS)
