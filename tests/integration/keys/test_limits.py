# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A real gateway enforces every limit of a package, and no longer does once the package does not name it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import ON_THE_PINNED_RELEASE
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, MISTRAL, SECRET, Live
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.vendor_gateway import VendorGateway

P = "ocp4_workload_litellm_virtual_keys_"
NO_LIMIT = {"max_budget": -1, "budget_duration": "never", "rpm_limit": -1, "tpm_limit": -1, "max_parallel_requests": -1, "allowed_routes": []}
"""What the role gives to the module for all that a package does not name."""
WITHIN_SECONDS = 20
"""LiteLLM counts tokens and money after it has answered."""

pytestmark = ON_THE_PINNED_RELEASE  # 1.82.6 refuses with other statuses: 400 for a spent budget, 401 for a model


class Person:
    """A person who has a key of the lab and calls models with it."""

    def __init__(self, live: Live) -> None:
        self.live, self.value = live, ""

    def gets(self, **package: Any) -> None:
        """Provision the lab with this package."""
        limits = {**NO_LIMIT, "models": ["dear", "slow", GRANITE], **package}
        (key,) = self.live.lab(**limits)["virtual_keys"]
        assert self.value in ("", key["value"])
        self.value = key["value"]

    def calls(self, model: str = GRANITE) -> requests.Response:
        return self.live.gateway.chat(self.value, model)

    def calls_until(self, status: int, model: str = GRANITE) -> requests.Response:
        """Call twice a second until this status comes. Any other status must be success or a refusal because of a limit."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while (answer := self.calls(model)).status_code != status:
            assert answer.status_code in (200, 429), answer.text
            assert time.monotonic() < deadline, f"still {answer.status_code}: {answer.text}"
            time.sleep(0.5)
        return answer


@pytest.fixture
def person(vendor_gateway: VendorGateway, unique: str) -> Iterator[Person]:
    live = Live(vendor_gateway.gateway, unique)
    yield Person(live)
    live.clean()


def error_type(answer: requests.Response) -> str:
    return str(answer.json()["error"]["type"])


def test_requests_per_minute(person: Person) -> None:
    person.gets(rpm_limit=2)
    assert [person.calls().status_code for _each in range(3)] == [200, 200, 429]
    refused = person.calls()
    assert error_type(refused) == "throttling_error" and int(refused.headers["retry-after"]) <= 60
    person.gets()
    assert person.calls().status_code == 200


def test_tokens_per_minute(person: Person) -> None:
    person.gets(tpm_limit=10)  # a call takes about thirty
    assert person.calls().status_code == 200
    assert error_type(person.calls_until(429)) == "throttling_error"
    person.gets()
    assert person.calls().status_code == 200


def test_requests_at_the_same_time(person: Person) -> None:
    def both() -> list[int]:
        with ThreadPoolExecutor(2) as pool:
            return sorted(answer.status_code for answer in pool.map(person.calls, ["slow", "slow"]))

    person.gets(max_parallel_requests=1)
    assert both() == [200, 429]
    person.calls_until(200)  # sequential calls are allowed
    person.gets()
    assert both() == [200, 200]


def test_budget(person: Person) -> None:
    person.gets(max_budget=0.5)  # a call of this model costs more than that
    assert person.calls("dear").status_code == 200
    assert error_type(person.calls_until(429, "dear")) == "budget_exceeded"
    assert person.calls().status_code == 429, "the budget is the key's, not the model's"
    person.gets(max_budget=1000)
    assert person.calls("dear").status_code == 200
    person.gets(max_budget=0)
    assert error_type(person.calls("dear")) == "budget_exceeded"
    person.gets()
    assert person.calls("dear").status_code == 200


def test_a_budget_starts_again_after_its_period(person: Person) -> None:
    """The budget lasts ten seconds, and here LiteLLM's own job resets budgets every second, so the test only waits."""
    person.gets(max_budget=0.5, budget_duration="10s")
    person.calls_until(429, "dear")
    person.calls_until(200, "dear")
    (row,) = person.live.rows.values()
    assert row["max_budget"] == 0.5 and row["budget_reset_at"]


def test_models(person: Person) -> None:
    person.gets()
    refused = person.calls(MISTRAL)
    assert refused.status_code == 403 and error_type(refused) == "key_model_access_denied"
    person.gets(models=[GRANITE, MISTRAL])
    assert person.calls(MISTRAL).status_code == 200


def test_routes(person: Person) -> None:
    person.gets(allowed_routes=["info_routes"])
    refused = person.calls()
    assert refused.status_code == 403 and "not allowed to call this route" in refused.text
    person.gets(allowed_routes=["/v1/chat"])
    assert person.calls().status_code == 200
    person.gets()
    assert person.calls().status_code == 200


def tier(vendor_gateway: VendorGateway, playbook: Playbooks, guid: str) -> Callable[[str], str]:
    """Provision a lab by the role, and return the value of its key."""

    def provision(package: str) -> str:
        quiet = {f"{P}enable_user_info_messages": False, f"{P}enable_user_info_data": False}
        playbook("provision", {**vendor_gateway.gateway.variables, **quiet, "guid": guid, f"{P}secret": SECRET, f"{P}subscription_package": package})
        return derive.value(SECRET, f"virtkey-{guid}")

    return provision


def test_the_tiers_default_and_premium(vendor_gateway: VendorGateway, playbook: Playbooks, person: Person) -> None:
    """Every key may make a hundred calls a minute; more need another package."""
    provision = tier(vendor_gateway, playbook, person.live.name)
    person.value = provision("default")
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _each: person.calls().status_code, range(104)))
    assert statuses.count(200) == 100 and statuses.count(429) == 4
    assert provision("premium") == person.value
    (row,) = person.live.rows.values()
    assert row["rpm_limit"] == 1000
    assert person.calls().status_code == 200


def test_limits_on_a_pass_through_route(vendor_gateway: VendorGateway, person: Person) -> None:
    """LiteLLM knows neither models nor prices there, but it counts requests."""

    def search() -> int:
        headers = {"x-api-key": person.value}
        return requests.post(f"{person.live.gateway.url}/vectara/v2/query", headers=headers, json={"query": "Say hello."}, timeout=30).status_code

    person.gets(allowed_routes=["/vectara"], rpm_limit=2)
    assert [search() for _each in range(3)] == [200, 200, 429]
    person.gets(allowed_routes=["/vectara"])
    assert search() == 200
    person.gets(allowed_routes=["/vectara"], max_budget=0)
    assert search() == 200, "budgets do not apply there, as the guide says"


def test_an_unknown_limit_is_refused(vendor_gateway: VendorGateway, playbook: Playbooks, person: Person) -> None:
    packages = {f"{P}packages": {"mine": {"models": [GRANITE], "duration": "1d", "rpm": 5}}, f"{P}subscription_package": "mine"}
    run = playbook("provision", {**vendor_gateway.gateway.variables, "guid": person.live.name, **packages}, check=False)
    assert run.returncode and "has rpm, which no package can have; correct it to one of models, duration, max_budget" in run.output
    assert not person.live.rows
