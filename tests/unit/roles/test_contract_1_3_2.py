# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What contract_1_3_2.yml says of release 1.3.2 is what the argument specs and the upgrade guide say.

tests/integration/agnosticd/test_contract_1_3_2.py tries each of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLE = "ocp4_workload_litellm_virtual_keys"
GUIDE = " ".join((ROOT / "docs" / "docsite" / "rst" / "upgrade.rst").read_text(encoding="utf-8").split())
CONTRACT: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "contract_1_3_2.yml").read_text(encoding="utf-8"))


def guide_phrases(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        return ([tree["guide"]] if "guide" in tree else []) + [phrase for value in tree.values() for phrase in guide_phrases(value)]
    return [phrase for entry in tree for phrase in guide_phrases(entry)] if isinstance(tree, list) else []


@pytest.mark.parametrize("phrase", sorted(set(guide_phrases(CONTRACT))))
def test_what_changed_stands_in_the_upgrade_guide(phrase: str) -> None:
    assert phrase in GUIDE


def test_the_upgrade_guide_names_every_variable_and_every_name_that_is_published() -> None:
    user_data = CONTRACT["user_data"]
    published = [name for names in CONTRACT["facts"].values() for name in names]
    published += user_data["own"] + user_data["own_of_many"] + user_data["shared"] + user_data["shared_on_request"]["names"]
    variables = [name.removeprefix(f"{ROLE}_") for name in CONTRACT["variables"]]
    assert [name for name in (*variables, *published) if f"``{name}``" not in GUIDE] == []


def test_every_variable_of_the_role_then_is_one_now_or_refused() -> None:
    options = yaml.safe_load((ROOT / "roles" / ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["workload"]["options"]
    gone = [name for name in CONTRACT["variables"] if name.startswith(ROLE) and name not in options]
    assert [name for name in gone if not any("refused" in trial for trial in CONTRACT["variables"][name])] == []
    assert len(gone) == 3
