# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The guide to approval rules is correct: its chains load, its options are those of the rules, and its example is the tested one."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval import loader
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.lint import lint
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.rehearsal import parse_cases, read_cases, rehearse
from ansible_collections.rhpds.litellm_virtual_keys.tests.tools import rule_options
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.approval_parts import context

ROOT = Path(__file__).resolve().parents[4]
GUIDE = (ROOT / "docs/docsite/rst/approval_rules.rst").read_text(encoding="utf-8")
EXAMPLE = ROOT / "tests/collections/ansible_collections/acme/policies/plugins/sub_plugins/approval/cost_center.py"


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)", GUIDE, re.MULTILINE)
    return [textwrap.dedent(block).strip() + "\n" for block in found]


def section(title: str) -> str:
    return re.split(r"\n(?:~~~|---)", GUIDE.partition(f"\n{title}\n~~~")[2])[0]


@pytest.mark.parametrize("chain", [block for block in blocks("yaml") if "acme." not in block])
def test_every_chain_of_the_guide_loads_and_has_no_error(chain: str) -> None:
    links = loader.load_chain(yaml.safe_load(chain))
    assert not [finding for finding in lint(links) if "never reached" in finding.message]


def test_the_tables_of_options_are_those_of_the_rules() -> None:
    rules = [name.partition(" ")[0] for name in loader.known_rules()]
    assert sorted(rule_options.rules_with_tables(GUIDE)) == sorted(rules)
    assert rule_options.page_with_tables(GUIDE) == GUIDE, "run `make rule-options`"


def test_a_table_shows_every_option() -> None:
    table = rule_options.table(
        {
            "limit": {"type": "int", "required": True, "description": "The most."},
            "times": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "When.",
                "options": {"day": {"type": "str", "choices": ["mon", "tue"], "default": "mon", "description": "A weekday."}},
            },
            "open": {"type": "bool", "default": False, "description": "Always."},
        }
    )
    rows = [row.split("\n     -") for row in table.split("\n   * - ")[1:]]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["Option", "Type", "Default", "Description"],
        ["``limit``", "int", "required", "The most."],
        ["``times``", "list of dict", "", "When."],
        ["``times.day``", "str", "``mon``", "A weekday. One of ``mon``, ``tue``."],
        ["``open``", "bool", "``false``", "Always."],
    ]


@pytest.mark.parametrize(("alias", "rule"), sorted(loader.ALIASES.items()))
def test_the_other_name_of_a_rule_is_described(alias: str, rule: str) -> None:
    assert f"Also ``{alias}``" in section(rule)


def test_the_cases_of_the_guide_agree_with_its_first_chain(tmp_path: Path) -> None:
    (table,) = [block for block in blocks("text") if block.startswith("# who gets what")]
    (tmp_path / "cases.csv").write_text(table)
    links = loader.load_chain(yaml.safe_load(blocks("yaml")[0]))
    trials = rehearse(parse_cases(read_cases(str(tmp_path / "cases.csv")), links), links, context())
    assert len(trials) == 4
    assert [str(trial) for trial in trials if not trial.agrees] == []


def test_the_rule_in_the_guide_is_the_one_that_is_tested() -> None:
    (shown,) = blocks("python")
    source = EXAMPLE.read_text(encoding="utf-8")
    assert shown.strip() == source[source.index('"""') :].strip()
