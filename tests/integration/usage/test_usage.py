# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Usage and its cost on the real gateway, from real calls of a model with a price, before and after their keys are deleted."""

from __future__ import annotations

import csv
import html.parser
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import Live
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.browser import Browser

IN, OUT = 0.001, 0.003  # USD for a token
TOKENS = 10, 20  # of each mock answer of LiteLLM's
COST = round(TOKENS[0] * IN + TOKENS[1] * OUT, 6)
OWNER = '=<img src=x onerror="document.title=1"><script>document.title=2</script>'
UNKNOWN = "no-such-model"
WRITTEN_SECONDS = 60


@dataclass
class Spent:
    """A lab of three users and a lab of one key, all used. The keys of users 2 and 3 are deleted, that of user 3 directly in the database."""

    live: Live
    solo: Live
    model: str

    def usage(self, **arguments: Any) -> dict[str, Any]:
        return self.live.run_ok("usage_info", **{"guid": self.live.name, "since": "2d", **arguments})

    @property
    def files(self) -> dict[str, Any]:
        return {**self.live.gateway.variables, "guid": self.live.name, "since": "2d"}


@pytest.fixture(scope="module")
def spent(gateway: Gateway) -> Iterator[Spent]:
    name = f"t{uuid4().hex[:10]}"
    model = f"openai/priced-{name}"
    prices = {"input_cost_per_token": IN, "output_cost_per_token": OUT}
    made = gateway.post("/model/new", model_name=model, litellm_params={"model": model, "mock_response": "Hello.", **prices}, model_info={})
    live, solo = Live(gateway, f"{name}m"), Live(gateway, f"{name}s")
    try:
        lab = {"models": [model], "package": "lab-dev", "check_models": False, "metadata": {"owner": OWNER}}
        keys = live.lab("user1", "user2", "user3", **lab)["virtual_keys"]
        (alone,) = solo.lab(models=[model], check_models=False, metadata={"owner": "ann@example.com"})["virtual_keys"]
        calls = [(keys[0], 4), (keys[1], 2), (keys[2], 1), (alone, 3)]
        answered(gateway, gateway.master_key, model)
        for key, times in calls:
            for _number in range(times):
                assert gateway.chat(key["value"], model).ok
        assert gateway.chat(keys[1]["value"], UNKNOWN).status_code in (400, 403, 404)
        written(gateway, {key["key_id"]: times for key, times in calls})
        live.run_ok("virtual_keys", guid=live.name, keys=[{"user": "user1"}], max_budget=round(4 * COST, 6))
        live.run_ok("virtual_keys", guid=live.name, keys=[{"user": "user2"}], state="absent")
        with psycopg.connect(gateway.database_url, autocommit=True) as database:
            database.execute('DELETE FROM "LiteLLM_VerificationToken" WHERE token = %s', [keys[2]["key_id"]])
        yield Spent(live, solo, model)
    finally:
        live.clean()
        solo.clean()
        gateway.request("POST", "/model/delete", json={"id": made["model_id"]})


def answered(gateway: Gateway, key: str, model: str) -> None:
    """Repeat a call until it is answered; LiteLLM may take a moment to serve a new model."""
    deadline = time.monotonic() + WRITTEN_SECONDS
    while not (answer := gateway.chat(key, model)).ok:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.5)


def written(gateway: Gateway, calls: dict[str, int]) -> None:
    """Wait until LiteLLM has written its counts, which it does in batches every few seconds."""
    deadline = time.monotonic() + WRITTEN_SECONDS
    for token, times in calls.items():
        while True:
            counted = gateway.get("/user/daily/activity/aggregated", start_date="2026-01-01", end_date="2099-12-31", api_key=token)["metadata"]
            if counted["total_successful_requests"] >= times:
                break
            assert time.monotonic() < deadline, f"{counted} instead of {times}"
            time.sleep(0.5)


# ------------------------------------------------------------------------------------------------------------- the module
def test_the_usage_of_each_key_even_if_it_is_deleted(spent: Spent) -> None:
    found = spent.usage(by=["key", "user", "lab", "package", "owner", "model"])
    keys = {row["user"]: row for row in found["usage"]["key"]}
    shown = {user: (row["requests_ok"], row["tokens_in"], row["tokens_out"], row["cost"], row["deleted"]) for user, row in keys.items()}
    assert shown == {
        "user1": (4, 40, 80, pytest.approx(4 * COST), False),
        "user2": (2, 20, 40, pytest.approx(2 * COST), True),
    }, "user3's key is on neither of LiteLLM's lists: it is not found among the keys of a lab, but see the next test"
    assert keys["user2"]["key"] == f"virtkey-{spent.live.name}-user2" and keys["user2"]["lab"] == f"virtkey-{spent.live.name}"
    assert (keys["user2"]["package"], keys["user2"]["owner"]) == ("lab-dev", OWNER)
    assert keys["user2"]["requests_failed"] == 1 and keys["user2"]["requests"] == 3
    assert [(row["lab"], row["requests_ok"]) for row in found["usage"]["lab"]] == [(f"virtkey-{spent.live.name}", 6)]
    assert {row["model"]: (row["requests"], row["requests_failed"]) for row in found["usage"]["model"]} == {spent.model: (6, 0), UNKNOWN: (1, 1)}
    assert found["total"]["cost"] == pytest.approx(6 * COST)


def test_a_key_that_was_deleted_in_the_database_still_belongs_to_its_lab(spent: Spent) -> None:
    found = spent.live.run_ok("usage_info", since="2d", by=["lab", "key"])
    labs = {row["lab"]: row for row in found["usage"]["lab"]}
    assert labs[f"virtkey-{spent.live.name}"]["cost"] == pytest.approx(7 * COST)
    assert labs[f"virtkey-{spent.solo.name}"]["cost"] == pytest.approx(3 * COST)
    (lost,) = [row for row in found["usage"]["key"] if row["key"] == f"virtkey-{spent.live.name}-user3"]
    assert (lost["user"], lost["deleted"], lost["package"]) == ("user3", True, "")


def test_conditions(spent: Spent) -> None:
    everybody = spent.live.run_ok("usage_info", since="2d", owner="ANN@example.com", by=["lab"], model=spent.model)
    assert [(row["lab"], row["requests"]) for row in everybody["usage"]["lab"]] == [(f"virtkey-{spent.solo.name}", 3)]
    alias = f"virtkey-{spent.live.name}-user2"
    assert spent.usage(alias=alias, by=["model"], model=UNKNOWN)["total"]["requests_failed"] == 1
    assert spent.usage(package="ai-developer")["usage"]["lab"] == []
    yesterday = spent.usage(since="2026-01-01", until="2026-01-02")
    assert yesterday["usage"]["lab"] == [] and yesterday["total"]["requests"] == 0


def test_keys_near_their_budget(spent: Spent) -> None:
    (near,) = spent.usage(near_budget=80)["near_budget"]
    assert (near["user"], near["percent"], near["max_budget"]) == ("user1", 100.0, pytest.approx(4 * COST))
    assert spent.usage(near_budget=101)["near_budget"] == []
    plain, near_too = (spent.live.run_ok("usage_info", since="2d", by=["key"], **more) for more in ({}, {"near_budget": 80}))
    assert near_too["usage"] == plain["usage"] and near_too["calls"] <= plain["calls"], "the living keys are read once"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"since": "2026-11-02", "until": "2026-11-01"}, "since (2026-11-02) is after until (2026-11-01)"),
        ({"since": "2099-01-01"}, "yet to come"),
        ({"since": "soon"}, "not a day"),
        ({"by": ["colour"]}, "unknown dimension 'colour' in by"),
        ({"owner": ""}, "owner is empty"),
        ({"guid": "../x"}, "guid is"),
        ({"near_budget": -1}, "near_budget is -1"),
    ],
)
def test_bad_input(live: Live, arguments: dict[str, Any], message: str) -> None:
    result = live("usage_info", **arguments)
    assert result["failed"] and result["code"] == "bad_input" and message in result["msg"]


def test_a_user_of_the_gateway_does_not_see_everybodys_usage(live: Live) -> None:
    (key,) = live.lab(user_id="somebody")["virtual_keys"]
    result = live("usage_info", api_key=key["value"])
    assert result["failed"] and result["code"] == "not_admin"


# -------------------------------------------------------------------------------------------------------- the playbooks
class Page(html.parser.HTMLParser):
    """The tags of a page, and the addresses that it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [str(value) for name, value in attrs if name in ("src", "href", "xlink:href", "action", "data")]
        assert not [name for name, _value in attrs if name.startswith("on")]


def test_the_report(spent: Spent, playbook: Playbooks, browser: Browser, tmp_path: Path) -> None:
    files = {f"report_{kind}": str(tmp_path / f"report.{kind}") for kind in ("html", "csv", "json")}
    run = playbook(
        "report", {**spent.files, **files, "report_title": "Usage <b>&</b> cost"}, environment={"ANSIBLE_STDOUT_CALLBACK": "rhpds.litellm_virtual_keys.plain"}
    )
    for text in (f"virtkey-{spent.live.name}", spent.model, "KEYS NEAR THEIR BUDGET", f"{6 * COST:.4f} USD"):
        assert text in run.output

    written_report = json.loads((tmp_path / "report.json").read_text())
    assert written_report["total"]["cost"] == pytest.approx(6 * COST) and written_report["near_budget"][0]["user"] == "user1"
    rows = list(csv.DictReader((tmp_path / "report.csv").open()))
    assert sum(float(row["cost"]) for row in rows) == pytest.approx(6 * COST)
    assert {row["owner"] for row in rows} == {f"'{OWNER}"}, "spreadsheets must not read a formula"
    assert {row["model"] for row in rows} == {spent.model, UNKNOWN}
    assert all((tmp_path / f"report.{kind}").stat().st_mode & 0o777 == 0o600 for kind in ("html", "csv", "json"))

    page = tmp_path / "report.html"
    assert "://" not in page.read_text(), "the page loads nothing from elsewhere"
    seen = browser.dom(page)
    understood = Page(seen)
    assert "<title>Usage &lt;b&gt;&amp;&lt;/b&gt; cost" in seen, "no script has changed the page"
    assert understood.addresses == [] and not {"script", "img", "b", "iframe", "link"} & set(understood.tags)
    assert understood.tags.count("rect") == 1 and "Keys near their budget" in seen
    assert "Refused to" not in browser.log(page)
    light = browser.picture(page, tmp_path / "usage-light.png")
    dark = browser.picture(page, tmp_path / "usage-dark.png", "--blink-settings=preferredColorScheme=0")
    assert light.startswith(b"\x89PNG") and len(light) > 50_000 and light != dark
    assert browser.paper(page, tmp_path / "usage.pdf").startswith(b"%PDF")


def test_a_report_of_nothing(live: Live, playbook: Playbooks, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    playbook("report", {**live.gateway.variables, "guid": live.name, "report_html": str(page)})
    assert "Nothing was used in these days." in page.read_text()


def test_a_report_into_no_directory_asks_nothing(live: Live, playbook: Playbooks, tmp_path: Path) -> None:
    run = playbook("report", {"litellm_url": "http://127.0.0.1:9", "litellm_master_key": "sk-x", "report_csv": str(tmp_path / "none" / "x.csv")}, check=False)
    assert run.returncode != 0 and "there is no directory" in run.output and "127.0.0.1" not in run.output


def test_statistics(spent: Spent, playbook: Playbooks) -> None:
    plain = {"ANSIBLE_STDOUT_CALLBACK": "rhpds.litellm_virtual_keys.plain"}
    run = playbook("stats", {**spent.files, "output": "json"}, environment=plain)
    statistics = json.loads(run.output[run.output.index("{") : run.output.rindex("}") + 1])
    assert statistics["total"]["requests"] == 7
    assert {row["user"]: row["requests"] for row in statistics["usage"]} == {"user1": 4, "user2": 3}


# ---------------------------------------------------------------------------------------------------------- the receipt
def test_the_receipt_of_a_lab_with_one_key_is_made_first_and_names_its_models(spent: Spent, playbook: Playbooks, tmp_path: Path) -> None:
    lab = {**spent.solo.gateway.variables, "guid": spent.solo.name, "output_dir": str(tmp_path)}
    file = tmp_path / f"{spent.solo.name}-spend-receipt.json"
    run = playbook("destroy", lab)
    assert f"has spent {3 * COST:.4f} USD" in run.output and not spent.solo.rows
    receipt = json.loads(file.read_text())
    assert receipt["total"]["cost"] == pytest.approx(3 * COST) and receipt["total"]["tokens_out"] == 60
    assert [(row["model"], row["requests"]) for row in receipt["models"]] == [(spent.model, 3)]
    assert [key["owner"] for key in receipt["keys"]] == ["ann@example.com"]
    assert "some seconds after it" in receipt["remarks"][0]
    again = file.read_text()
    playbook("destroy", lab)
    assert file.read_text() == again, "a lab that is gone leaves its receipt alone"


def test_the_receipt_of_a_lab_with_many_keys_has_their_spend_in_two_calls(spent: Spent, tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    left = spent.live.run_ok("spend_receipt", guid=spent.live.name, dest=str(file))
    assert left["calls"] == 2 and left["dest"] == str(file) and file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == left["receipt"]
    keys = {key["user"]: (key["spend"], key["deleted"], key["package"]) for key in left["receipt"]["keys"]}
    assert keys == {"user1": (pytest.approx(4 * COST), False, "lab-dev"), "user2": (pytest.approx(2 * COST), True, "lab-dev")}
    assert left["receipt"]["total"] == {"cost": pytest.approx(6 * COST)} and left["receipt"]["models"] is None
    checked = spent.live.run_ok("spend_receipt", guid=spent.live.name, dest=str(tmp_path / "other.json"), _check=True)
    assert checked["changed"] and not (tmp_path / "other.json").exists()


@pytest.mark.parametrize("receipt", ["no directory", "off"])
def test_a_failed_receipt_does_not_stop_a_destruction(live: Live, playbook: Playbooks, tmp_path: Path, receipt: str) -> None:
    live.lab()
    off = {"ocp4_workload_litellm_virtual_keys_spend_receipt": False} if receipt == "off" else {}
    run = playbook("destroy", {**live.gateway.variables, "guid": live.name, "output_dir": str(tmp_path / "none"), **off})
    assert not live.rows
    assert ("WARNING: there is no file with the receipt" in run.output) == (receipt != "off")
    assert ("has spent 0.0000 USD" in run.output) == (receipt != "off")
