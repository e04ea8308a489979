# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`make portal` decides as it says that it does: there is something to see for requesters and for administrators."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval import lint, loader
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.decision import Decision
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit import approval_parts

TOOLS = Path(__file__).parents[3] / "tools"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(TOOLS))  # where it finds its neighbours, as a program
    return importlib.import_module("portal_demo")


def rules_of(demo: Any) -> list[Any]:
    """Return the chain of the demo, with its conditions as they come from --extra-vars."""
    trusted = [{**rule, "config": dict(rule["config"])} for rule in demo.WORKER["key_requests_rules"]]
    for rule in trusted:
        if "condition" in rule["config"]:
            rule["config"]["condition"] = approval_parts.trusted(rule["config"]["condition"])
    return trusted


@pytest.mark.parametrize(
    ("email", "model", "decision"),
    [
        ("ada@example.com", 0, Decision.APPROVE),
        ("bob@elsewhere.org", 0, Decision.REVIEW),
        ("ada@example.com", 2, Decision.DENY),
        ("bob@elsewhere.org", 2, Decision.DENY),
    ],
)
def test_the_demo_decides_as_it_says(demo: Any, email: str, model: int, decision: Decision) -> None:
    assert approval_parts.one(rules_of(demo), email, demo.MODELS[model], usage=[]).decision is decision


def test_every_rule_of_the_demo_is_reached(demo: Any) -> None:
    assert not lint.lint(loader.load_chain(rules_of(demo)), demo.MODELS)


def test_there_is_one_demo_at_a_time(demo: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second one would start the portal of the first anew, on other ports, and stop it at its own end."""
    monkeypatch.setattr(demo.workshop, "cache", lambda: tmp_path)
    started: list[bool] = []

    def show(*, stop_at_once: bool) -> None:
        started.append(stop_at_once)
        demo.main()

    monkeypatch.setattr(demo, "show", show)
    monkeypatch.setattr("sys.argv", ["portal_demo.py"])
    with pytest.raises(SystemExit, match="runs already"):
        demo.main()
    assert started == [False]
