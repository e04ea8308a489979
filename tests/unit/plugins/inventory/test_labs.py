# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The inventory plugin, run by ansible-inventory against the model of LiteLLM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, START, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.module_parts import Modules

PLUGIN = "plugin: rhpds.litellm_virtual_keys.labs\n"
INJECTION = "{{ lookup('ansible.builtin.pipe', 'echo in' ~ 'jected') }}@evil.example"


@pytest.fixture
def served() -> Iterator[ServedModel]:
    with ServedModel(LitellmModel()) as served:
        modules = Modules(served)
        for number in range(1, 13):  # two pages
            keys = [{"user": f"user{user}"} for user in range(1, 11)]
            modules.run_ok(
                "virtual_keys", guid=f"class{number}", keys=keys, models=["granite"], package="workshop", metadata={"owner": f"t{number}@uni.example"}
            )
        modules.run_ok("virtual_keys", guid="single", keys=[{}], models=["granite"], metadata={"owner": INJECTION}, max_budget=2)
        modules.run_ok("virtual_key", alias="team-key", models=["granite"])
        yield served


class Inventory:
    """Runs ansible-inventory on a file."""

    def __init__(self, folder: Path, url: str, key: str = MASTER_KEY) -> None:
        self.folder, self.url, self.key = folder, url, key

    def run(self, config: str, name: str = "test.labs.yml") -> subprocess.CompletedProcess[str]:
        source = self.folder / name
        source.write_text(config)
        environment = {**os.environ, "LITELLM_BASE_URL": self.url, "LITELLM_MASTER_KEY": self.key, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(self.folder)}
        environment |= {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1"}
        command = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(source), "--list"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    def __call__(self, config: str, name: str = "test.labs.yml") -> dict[str, Any]:
        done = self.run(config, name)
        assert done.returncode == 0, done.stderr
        listing: dict[str, Any] = json.loads(done.stdout, object_hook=lambda found: found.get("__ansible_unsafe", found))
        return listing


@pytest.fixture
def inventory(served: ServedModel, tmp_path: Path) -> Inventory:
    return Inventory(tmp_path, served.url)


def test_labs_groups_and_variables(inventory: Inventory) -> None:
    listing = inventory(
        PLUGIN + "strict: true\ncompose: {guid: lab_guid}\ngroups: {classes: lab_keys > 1}\nkeyed_groups: [{prefix: state, key: lab_state}]\n",
    )
    hosts = listing["_meta"]["hostvars"]
    assert len(hosts) == 13 and "team-key" not in hosts
    assert hosts["virtkey-class3"]["lab_users"] == [f"user{user}" for user in range(1, 11)]
    assert hosts["virtkey-class3"]["guid"] == "class3"
    assert hosts["virtkey-class3"]["ansible_connection"] == "local"
    assert len(listing["classes"]["hosts"]) == len(listing["package_workshop"]["hosts"]) == len(listing["owner_uni_example"]["hosts"]) == 12
    assert len(listing["state_active"]["hosts"]) == 13
    assert "sk-" not in json.dumps(listing)


def test_the_data_of_a_key_is_not_a_template(inventory: Inventory) -> None:
    done = inventory.run(PLUGIN + "compose: {who: lab_owner}\nkeyed_groups: [{prefix: owned, key: lab_owner}]\n")
    assert "injected" not in done.stdout and "lookup(" in done.stdout, done.stdout


def test_an_unknown_option_stops(inventory: Inventory, served: ServedModel) -> None:
    done = inventory.run(PLUGIN + "keyed_group: []\n")
    assert done.returncode != 0
    assert "there is no option keyed_group; keyed_groups is meant, perhaps" in done.stderr.replace("\n", " ")
    assert not [request for request in served.requests if request.query.get("page") == "2"], "nothing was read"


def test_only_its_own_files(inventory: Inventory) -> None:
    assert inventory.run(PLUGIN, "labs.txt").returncode != 0


@pytest.mark.parametrize(
    ("key", "config", "words"),
    [
        ("sk-an-unknown-key-0001", "", "does not know the API key"),
        ("sk-an-internal-user-01", "", "not authorized to check another user's keys"),
        (MASTER_KEY, "url: localhost\n", "is not the address of a gateway"),
        (MASTER_KEY, "ca_path: /nowhere/ca.pem\n", "ca_path is /nowhere/ca.pem, which cannot be read"),
        (MASTER_KEY, "compose: {x: nothing_like_it}\nstrict: true\n", "nothing_like_it"),
    ],
)
def test_other_errors_of_the_inventory(inventory: Inventory, served: ServedModel, key: str, config: str, words: str) -> None:
    served.model.users = {"sk-an-internal-user-01": "u"}
    inventory.key = key
    done = inventory.run(PLUGIN + config)
    assert done.returncode != 0
    assert words in " ".join(done.stderr.split()), done.stderr
    assert key not in done.stderr


def test_the_cache_holds_no_secret_and_serves_one_gateway(inventory: Inventory, served: ServedModel) -> None:
    kept = inventory.folder / "kept"
    config = PLUGIN + f"cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: {kept}\n"
    first, asked = inventory(config), len(served.requests)
    assert inventory(config)["_meta"]["hostvars"].keys() == first["_meta"]["hostvars"].keys()
    assert len(served.requests) == asked, "the second run made no request"
    (file,) = kept.iterdir()
    text = file.read_text()
    assert MASTER_KEY not in text and "sk-" not in text
    assert not any(token in text for token in served.model.rows)
    inventory(config + "user_base: member\n")
    assert len(served.requests) > asked, "labs are distinguished differently"
    inventory.url = "http://127.0.0.1:9"
    assert inventory.run(config + "retries: 0\n").returncode != 0, "the cache of another gateway is not used"


def test_ends_are_judged_when_the_inventory_is_read(inventory: Inventory, served: ServedModel) -> None:
    """The model has its own clock; hosts are grouped by the clock of the controller."""
    row = served.model.with_alias("virtkey-single")[0]
    row["expires"] = START.replace(year=2020)
    listing = inventory(PLUGIN, "labs.yaml")
    assert listing["expired"]["hosts"] == ["virtkey-single"]
