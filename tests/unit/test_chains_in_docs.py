# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Every approval chain that the documentation, the README files and the examples show can be loaded as it stands."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval import loader

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("docs/docsite/rst/*.rst"), *ROOT.glob("roles/*/README.md"), ROOT / "README.md"])
BLOCK = re.compile(r"^(?:\.\. code-block:: ya?ml\n\n((?:   [^\n]*\n|\n)+)|```ya?ml\n(.*?)```)", re.MULTILINE | re.DOTALL)
RULES = re.compile(r"(^|_)(rules|approval_plugins)$")


def chains() -> Iterator[Any]:
    """Yield each chain with the page that shows it."""
    for page in PAGES:
        for indented, fenced in BLOCK.findall(page.read_text(encoding="utf-8")):
            try:
                found = yaml.safe_load(textwrap.dedent(indented or fenced).replace("!unsafe", ""))
            except yaml.YAMLError:
                continue  # several documents or a template; the guides' own tests run those
            for number, chain in enumerate(_chains_in(found)):
                yield pytest.param(chain, id=f"{page.parent.name}/{page.name}-{number}-{chain[0].get('name')}")


def _chains_in(value: Any) -> Iterator[list[Any]]:
    if isinstance(value, dict):
        for name, entry in value.items():
            if RULES.search(str(name)) and isinstance(entry, list) and entry and "alert" not in entry[0]:  # Prometheus has rules, too
                yield entry
            else:
                yield from _chains_in(entry)
    elif isinstance(value, list) and value and all(isinstance(entry, dict) and entry.get("name") in RULE_NAMES for entry in value):
        yield value
    elif isinstance(value, list):
        for entry in value:
            yield from _chains_in(entry)


RULE_NAMES = {name for rule in loader.known_rules() for name in re.findall(r"\w+", rule)}
ALL = list(chains())


def test_there_are_chains_to_look_at() -> None:
    assert len(ALL) >= 5


@pytest.mark.parametrize("chain", ALL)
def test_a_chain_that_is_shown_can_be_loaded(chain: list[Any]) -> None:
    assert loader.load_chain([entry for entry in chain if not str(entry["name"]).startswith("acme.")]) or "acme" in str(chain)
