# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The rulebook. One process, with the Java of its tool set, serves all tests."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.events.rulebook import CHECKOUT, TOKEN, WINDOW, Rulebook, platform
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway

ALERT = {
    "spend": 5.2,
    "max_budget": 5.0,
    "soft_budget": None,
    "token": "0" * 64,
    "key_alias": "virtkey-abc12",
    "event": "budget_crossed",
    "event_group": "key",
    "event_message": "Key Budget: Budget Crossed",
}
"""The main parts of what LiteLLM 1.102 posts to WEBHOOK_URL."""
SUBMITTED = {"event": "request_submitted", "request_id": "r-1"}
ENDED = {"event": "lab_ended", "guid": "abc12"}
MARKER = "a-text-of-strangers"


@pytest.fixture(scope="module")
def rulebook(tmp_path_factory: pytest.TempPathFactory, gateway: Gateway) -> Iterator[Rulebook]:
    running = Rulebook(tmp_path_factory.mktemp("events"), gateway)
    yield running
    print(f"the rulebook listened after {running.seconds:.1f} s and needed {running.megabytes} MB at most")
    running.stop()


def test_a_caller_without_the_token_is_refused(rulebook: Rulebook) -> None:
    assert rulebook.answer(None, SUBMITTED) == 401
    assert rulebook.answer("another", SUBMITTED) == 401


def test_bodies_without_an_event_start_nothing(rulebook: Rulebook) -> None:
    strange: list[Any] = [
        [],
        7,
        "request_submitted",
        [SUBMITTED],
        {},
        {"request_id": "r-1"},
        {"event": None},
        {"event": 7},
        {"event": ["request_submitted"]},
        {"event": {"request_submitted": True}},
        {"event": "request_submitted\n"},
        {"event": "Request_Submitted"},
        {"event": "somewhat"},
        {"payload": SUBMITTED},
        {"playbook": "process_requests"},  # as the rulebook's own events look
        {"event": {"playbook": "process_requests"}},
    ]
    for body in [b"null", *strange]:
        assert rulebook.answer(TOKEN, body) == 200
    time.sleep(WINDOW + 5)
    assert not list(rulebook.records.iterdir()), rulebook.output


def test_a_burst_of_events_is_one_pass_and_an_event_during_a_pass_is_another(rulebook: Rulebook) -> None:
    first = rulebook.request("ada@example.com")
    for number in range(100):
        assert rulebook.answer(TOKEN, {"event": "request_submitted", "request_id": f"another.{number}"}) == 200
    rulebook.wait_until(lambda: bool(rulebook.runs("process_requests")))
    before = len(rulebook.runs("process_requests"))
    second = rulebook.request("bob@example.com")
    assert rulebook.answer(TOKEN, {"event": "request_changed", "request_id": second}) == 200
    rulebook.wait_for_run("process_requests", 2)
    time.sleep(WINDOW + 5)
    assert before == 1
    assert 2 <= len(rulebook.runs("process_requests")) <= 3, rulebook.output
    assert [rulebook.state(first), rulebook.state(second)] == ["denied", "denied"], rulebook.output
    assert TOKEN not in rulebook.output


def test_alerts_report_and_ended_labs_reap(rulebook: Rulebook) -> None:
    for body in (ALERT, ENDED):
        assert rulebook.answer(TOKEN, body) == 200
    rulebook.wait_for_run("report", 1)
    rulebook.wait_for_run("reap", 1)
    assert "one of the following is required: live_labs" in rulebook.output  # the reaper has run, without a list of living labs


def bodies(template: str) -> Iterator[Any]:
    """Yield bodies of the right shape that hold the template wherever somebody may look."""
    nested: Any = template
    for _level in range(300):
        nested = {template: [nested]}
    for event in (SUBMITTED, ALERT, ENDED):
        yield event | {"key_alias": template}
        yield event | {"x": template}
        yield event | dict.fromkeys([*SUBMITTED, *ALERT, *ENDED, template], template) | {"event": event["event"]}
        yield event | {"x": {"__ansible_unsafe": template}, "y": {"__ansible_vault": template}, "z": f"!unsafe {template}"}
        yield event | {"x": {"__ansible_type": "TrustedAsTemplate", "value": template}}
        yield event | {"playbook": template, "event_playbook": template, "ansible_eda": {"event": template}, "meta": {"hosts": template}}
        yield event | {"x": [template, None, -1, 1e308, True, {template: template}]}
        yield event | {"x": nested}
        yield event | {"x": template + "x" * 1_000_000}
        yield event | {"x": f"\u202e{template}\u2069\u0000"}


def bytes_of_no_event(template: str) -> Iterator[bytes]:
    yield template.encode()
    yield b"[" * 100_000
    yield b"\xff\xfe"
    yield json.dumps(SUBMITTED | {"x": template + "x" * 2_000_000}).encode()
    yield b'{"event": "request_submitted", "x": NaN}'


def test_nothing_of_a_body_reaches_a_playbook(rulebook: Rulebook, tmp_path: Path) -> None:
    executed = tmp_path / MARKER
    template = f"{{{{ lookup('ansible.builtin.pipe', 'touch {executed}') }}}}"
    former = {playbook: len(rulebook.runs(playbook)) for playbook in ("process_requests", "report", "reap")}
    for raw in bytes_of_no_event(template):
        assert rulebook.answer(TOKEN, raw) is not None
    for body in bodies(template):
        assert rulebook.answer(TOKEN, body, {"X-Header": template}) == 200
    for playbook, count in former.items():
        rulebook.wait_for_run(playbook, count + 1)
    assert not executed.exists(), "the template was run"

    # What ansible-rulebook hands to a playbook (variables, arguments, environment), and all files that are left, artefacts among them.
    files = [path for folder in (rulebook.records, rulebook.temporary) for path in folder.rglob("*") if path.is_file()]
    assert [path for path in files if MARKER.encode() in path.read_bytes()] == []
    assert MARKER not in rulebook.output
    for path in rulebook.records.glob("*/before/env/extravars"):
        handed = yaml.safe_load(path.read_text())
        assert handed.keys() == {"ansible_eda", "event_playbook"}
        assert handed["ansible_eda"]["event"].keys() == {"playbook", "meta"}

    request = rulebook.request("eve@example.com")
    count = len(rulebook.runs("process_requests"))
    assert rulebook.answer(TOKEN, SUBMITTED) == 200
    rulebook.wait_for_run("process_requests", count + 1)
    assert rulebook.state(request) == "denied"


def test_it_starts_soon_and_stays_small(rulebook: Rulebook) -> None:
    assert rulebook.seconds < 60
    assert rulebook.megabytes < 400


# ------------------------------------------------------------------------------------------------------ the build tools
def test_the_execution_environment_can_be_built(tmp_path: Path) -> None:
    """Create the build context. Only a machine with a container engine can build the image from it."""
    tools = platform()
    definition = CHECKOUT / "extensions" / "awx" / "execution-environment.yml"
    create = [
        str(tools / "bin" / "ansible-builder"),
        "create",
        "--file",
        str(definition),
        "--context",
        str(tmp_path / "context"),
    ]
    done = subprocess.run(create, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    galaxy = yaml.safe_load((tmp_path / "context" / "_build" / "requirements.yml").read_text())
    assert [each["name"] for each in galaxy["collections"]] == ["rhpds.litellm_virtual_keys"]
    (recipe,) = (each for each in (tmp_path / "context").iterdir() if each.is_file())
    assert "RUN /output/scripts/install-from-bindep" in recipe.read_text()

    # This step of the build asks the installed collections for their requirements.
    where = tmp_path / "usr" / "ansible_collections" / "rhpds"
    where.mkdir(parents=True)
    (where / "litellm_virtual_keys").symlink_to(CHECKOUT)
    introspect = [str(tools / "bin" / "ansible-builder"), "introspect", str(tmp_path / "usr"), "--write-pip", str(tmp_path / "pip.txt")]
    done = subprocess.run(introspect, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    needed = (tmp_path / "pip.txt").read_text()
    assert {line.split()[0] for line in needed.splitlines() if line and not line.startswith("#")} >= {"requests", "kubernetes"}
