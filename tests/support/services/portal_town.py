# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What a portal shows in the tests of its pages: a catalogue, and requests as rules, administrators and the worker leave them."""

from __future__ import annotations

from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.sealed import document_of, link_of, seal
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Store
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.catalogue_snapshot import publish_catalogue, snapshot_of
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, Wish, now
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.insight import Insight, KeyFigures, Outlook, publish_insights
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import IN_REVIEW, Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.sealed_box import SealedBox, new_box_id, proof_digest

KEY = "sk-" + "k" * 40
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
CONFIG = {
    "models": [
        {"id": "granite-3-8b", "title": "Granite 3 8B", "icon": "simple-icons:ibm", "color": "#0f62fe", "description": "A small model for chat and code."},
        {"id": "mistral-small", "title": "Mistral Small", "icon": "simple-icons:mistralai", "color": "#fa520f", "description": "Fast and cheap."},
        {"id": "hostile", "title": HOSTILE, "icon": "mdi:alert", "color": "red", "description": HOSTILE},
    ],
    "featured_models": [
        {
            "id": "gpt-4o",
            "title": "GPT-4o",
            "subtitle": "Our usual choice",
            "description": "Good at most things.",
            "documentation_link": "https://docs.example.com/",
            "icon": "simple-icons:openai",
            "color": "#000000",
        }
    ],
}
PACKAGES = {
    "dev": {"models": ["granite-3-8b", "mistral-small"], "duration": "30d", "max_budget": 10, "rpm_limit": 60},
    "workshop": {"models": ["granite-3-8b"], "duration": "7d", "max_budget": 2.5, "budget_duration": "1d", "max_parallel_requests": 2},
}
LOOKS = {
    "dev": {"title": "Development", "icon": "mdi:code-tags", "color": "#6753ac", "description": "For trying things out."},
    "workshop": {"title": "Workshop", "icon": "mdi:school", "color": "#147878", "description": "For a day with a class."},
}


class Town:
    """The requests of a portal at `url`, as the worker and other people change them. The catalogue is published."""

    def __init__(self, url: str, store: Store) -> None:
        self.url, self.store = url, store
        self.desk = Desk(store)
        publish_catalogue(store, snapshot_of(now(), [f"model-{number}" for number in range(40)], packages=PACKAGES, looks=LOOKS))

    def address(self, path: str) -> str:
        return self.url + path

    def of(self, email: str) -> list[Record]:
        return [record for record in self.store.listing().records if record.email == email]

    def submit(self, email: str, **wish: Any) -> Record:
        after = self.desk.ask(Wish(email, **(wish or {"package": "dev"}), purpose="A demo")).after
        assert after is not None
        return after

    def review(self, record: Record) -> None:
        """Let the rules give a request to a person."""
        terms = {"models": ["granite-3-8b"], "duration": "30d", "max_budget": 5}
        trace = [{"rule": "budget", "decision": "REVIEW", "reason": "More than 5 USD need a person."}]
        ruling = transitions.Ruling("More than 5 USD need a person.", terms, trace=trace)
        self.store.transition(self.store.get(record.id), lambda found: transitions.decide(found, IN_REVIEW, ruling, by="chain", at=now()))

    def seal(self, record: Record) -> str:
        """Seal a key for the person, and return the link that opens it."""
        box_id = new_box_id(record.id)
        document = document_of(KEY, "https://llm.example.com", models=["granite-3-8b"], alias="request-1", vendors=["openai"], paths={})
        done = seal(document, box_id=box_id, request_id=record.id)
        box = SealedBox(box_id, record.email, now(), "2030-12-21T04:00:00Z", "0" * 16, proof_digest(done.proof), done.contents)
        self.store.boxes.put(box)
        return link_of(self.url, box_id, done.secret)

    def mint(self, record: Record, expires: str = "2030-12-21T04:00:00Z") -> None:
        """Let the key of an approved request be made and sent."""
        self.store.transition(self.store.get(record.id), lambda found: transitions.mark_minted(found, at=now(), key_alias="request-1", expires=expires))
        self.store.transition(self.store.get(record.id), lambda found: transitions.mark_delivered(found, at=now(), via="mail", ways=("mail",)))

    def fail(self, record: Record, step: str, reason: str) -> None:
        """Let a step of a pass fail."""
        self.store.transition(self.store.get(record.id), lambda found: transitions.mark_failed(found, at=now(), step=step, reason=reason, code="unreachable"))

    def spend(self, *records: Record, outlook: Outlook | None = None) -> None:
        """Let the worker find out what keys have spent and what the rules would say now."""
        figures = KeyFigures(1.256, 2.5, "1d", "2031-01-01T00:00:00Z")
        publish_insights(self.store, {record.id: Insight(now(), now(), outlook, figures) for record in records})
