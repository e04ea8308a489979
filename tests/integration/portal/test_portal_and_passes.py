# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""From the portal to a key in the mail, and what passes and workers tell the portal, with a real LiteLLM and a real SMTP server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import now
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.api import KeyApi
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.revocation import Proof
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.catalogue import publish_offers
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.gateway import PassGateway
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.offers import Offers
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import GRANITE, LLAMA, MISTRAL, Desk
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.litellm_process import mock_model, running_litellm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import ADMIN, PortalFactory, PortalProcess

PACKAGES: dict[str, Any] = {"dev": {"title": "Development", "models": [GRANITE], "duration": "30d", "max_budget": 5}}


@pytest.fixture
def portal(desk: Desk, run_portal: PortalFactory) -> PortalProcess:
    return run_portal(LITELLM_KEY_REQUESTS_DIR=str(desk.queue), PORTAL_LISTING_SECONDS="0")


def test_from_the_portal_to_a_key_that_works(desk: Desk, portal: PortalProcess) -> None:
    approved, reviewed, denied = (portal.ask("ada@company.com", model) for model in (GRANITE, MISTRAL, LLAMA))
    desk.process()
    states = {entry["request_id"]: entry["state"] for entry in portal.call("GET", "/api/admin/requests?filter=all", auth=ADMIN)}
    assert states == {approved: "approved", reviewed: "in-review", denied: "denied"}
    (first,) = desk.rows(approved)
    assert portal.call("POST", f"/api/v1/admin/requests/{reviewed}/approve", auth=ADMIN, json={"granted": {"max_budget": 1, "duration": "1d"}})
    desk.process()
    (second,) = desk.rows(reviewed)
    assert (first["models"], second["models"], second["max_budget"]) == ([GRANITE], [MISTRAL], 1)
    health = portal.call("GET", "/health")
    assert (health["status"], health["components"]["passes"]["status"], health["components"]["mail"]["status"]) == ("healthy", "on time", "up")
    values = {value for mail in desk.mails("ada@company.com") for value in [*_keys(mail.part("plain"))]}
    assert len(values) == 2
    everything = "".join(
        requests.get(portal.url + path, auth=ADMIN, timeout=30).text
        for path in ("/api/admin/requests?filter=all", f"/api/admin/requests/{approved}", f"/api/v1/admin/requests/{approved}", "/api/v1/admin/audit")
    )
    assert not [value for value in values if value in everything + portal.log.read_text()], "the portal never sees a value"


def _keys(text: str) -> list[str]:
    return [word for word in text.split() if word.startswith("sk-")]


def test_mails_that_are_refused_show_in_health(desk: Desk, portal: PortalProcess) -> None:
    portal.ask("ada@company.com", GRANITE)
    desk.process(key_delivery_smtp_port=1)
    health = portal.call("GET", "/health")
    assert (health["status"], health["components"]["mail"]) == ("degraded", {"status": "failing", "failed": 1})


@pytest.fixture(scope="module")
def served(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PassGateway]:
    """A LiteLLM that serves models, a wildcard and an access group, as a worker sees it."""
    folder = tmp_path_factory.mktemp("served")
    models = [mock_model("granite", "beta"), mock_model("mistral"), mock_model("hosted_vllm/*")]
    with running_litellm(gateway, folder, database=True, models=models) as litellm:
        client = Client(Connection(url=litellm.url, api_key=litellm.master_key))
        yield PassGateway(KeyApi(client, print), "derive-from-this-secret", proof=Proof())
        client.close()


def test_the_catalogue_has_what_litellm_serves(served: PassGateway, run_portal: PortalFactory, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("models: [{id: mistral, title: Our Mistral}, {id: elsewhere}]")
    portal = run_portal(CONFIG_FILE=str(tmp_path / "config.yaml"))
    assert [model["id"] for model in portal.call("GET", "/api/models")["models"]] == ["mistral", "elsewhere"]
    store = DirectoryStore(str(tmp_path / "requests"))
    published = publish_offers(store, served, Offers.from_settings(PACKAGES, {}, "30d"), PACKAGES, now)
    assert {"granite", "mistral"} <= set(published.models) and published.wildcards == ("hosted_vllm/*",) and published.groups == ("beta",)
    portal.stop()
    portal.start()
    titles = {model["id"]: model["title"] for model in portal.call("GET", "/api/models")["models"]}
    assert (titles["granite"], titles["mistral"], list(titles)[-1]) == ("Granite", "Our Mistral", "elsewhere")
    found = portal.call("GET", "/api/v1/catalogue")
    assert (found["wildcards"], found["groups"], found["packages"][0]["title"]) == (["hosted_vllm/*"], ["beta"], "Development")
    assert not {"beta", "hosted_vllm/*"} & set(titles)
