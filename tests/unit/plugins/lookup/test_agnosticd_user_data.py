# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.rhpds.litellm_virtual_keys.plugins.lookup.agnosticd_user_data import LookupModule

CONTENT = "---\nurl: https://example.com\nusers:\n  user1: {url: null, key: k1}\n  user2:\n"


def look_up(variables: dict[str, Any], *names: str, **options: Any) -> list[Any]:
    loader = DataLoader()
    values: list[Any] = LookupModule(loader=loader, templar=Templar(loader, variables)).run(list(names), variables=variables, **options)
    return values


def test_values_of_the_lab_and_of_a_user(tmp_path: Path) -> None:
    (tmp_path / "provision-user-data.yaml").write_text(CONTENT)
    variables = {"output_dir": str(tmp_path), "ACTION": "destroy"}
    assert look_up(variables, "url", "nothing") == ["https://example.com", None]
    assert look_up(variables, "key", "url", user="user1") == ["k1", None]
    assert look_up(variables, "key", user="user2") == look_up(variables, "key", user="user3") == [None]
    assert look_up(variables, "*", user="user1") == [{"url": None, "key": "k1"}]
    assert look_up(variables, "*")[0]["users"]["user1"]["key"] == "k1"


@pytest.mark.parametrize("variables", [{}, {"output_dir": ""}, {"output_dir": "/nowhere/at/all"}])
def test_nothing_saved_is_null(variables: dict[str, Any]) -> None:
    assert look_up(variables, "url") == [None]
    assert look_up(variables, "url", user="user1") == [None]


def test_an_unknown_option_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "provision-user-data.yaml").write_text(CONTENT)
    with pytest.raises(AnsibleError, match="there is no option usr; give user"):
        look_up({"output_dir": str(tmp_path)}, "key", usr="user1")


def test_broken_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "provision-user-data.yaml").write_text("a: }sk-broken-by-hand")
    with pytest.raises(AnsibleError, match="provision-user-data.yaml is not YAML in line 1") as caught:
        look_up({"output_dir": str(tmp_path)}, "a")
    assert "sk-" not in str(caught.value)
