# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The secret that values are derived from has one name everywhere: `litellm_derivation_secret`, else LITELLM_DERIVATION_SECRET.

With another name in one place, that place would derive other values from the master key without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]
COLLECTION = "rhpds.litellm_virtual_keys"
IN_PLAYBOOKS = "{{ litellm_derivation_secret | default(omit, true) }}"
IN_ROLES = "{{ litellm_derivation_secret | default(lookup('ansible.builtin.env', 'LITELLM_DERIVATION_SECRET'), true) }}"
# Tasks that work on a gateway of their own.
EXCEPT = {"playbooks/tasks/demo"}


class _Loader(yaml.SafeLoader):
    """Reads Ansible's own tags (`!unsafe`, `!vault`) as the text behind them."""


_Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None)


def takes_a_secret(module: Path) -> bool:
    return re.search(r"^  secret:$|limits\.value$|catalogue\.(?:model|many|credential)$", module.read_text(encoding="utf-8"), re.MULTILINE) is not None


MODULES = {f"{COLLECTION}.{path.stem}" for path in sorted((CHECKOUT / "plugins" / "modules").glob("*.py")) if takes_a_secret(path)}


def tasks_in(content: Any) -> Iterator[dict[str, Any]]:
    for entry in content if isinstance(content, list) else []:
        if isinstance(entry, dict):
            yield entry
            for part in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
                yield from tasks_in(entry.get(part))


def calls(folder: str) -> Iterator[Any]:
    for path in sorted((CHECKOUT / folder).rglob("*.yml")):
        place = str(path.relative_to(CHECKOUT))
        if "/meta/" in place or any(place.startswith(start) for start in EXCEPT):
            continue
        for task in tasks_in(yaml.load(path.read_text(encoding="utf-8"), _Loader)):
            for name in task.keys() & MODULES:
                yield pytest.param(path, task[name] or {}, id=f"{place}: {task.get('name')}")


def test_the_modules_are_found() -> None:
    names = {name.rpartition(".")[2] for name in MODULES}
    assert {"virtual_key", "virtual_keys", "key_adoption", "key_migration", "key_preflight", "key_reaper", "models"} <= names


@pytest.mark.parametrize(("path", "options"), list(calls("playbooks")))
def test_a_playbook_gives_the_secret_under_its_one_name(path: Path, options: dict[str, Any]) -> None:
    assert options.get("secret") == IN_PLAYBOOKS, path


@pytest.mark.parametrize(("path", "options"), list(calls("roles")))
def test_a_role_gives_a_variable_that_defaults_to_the_one_name(path: Path, options: dict[str, Any]) -> None:
    role = next(parent for parent in path.parents if parent.parent.name == "roles")
    variables: dict[str, Any] = {}
    for file in (role / "defaults" / "main.yml", role / "vars" / "main.yml"):
        variables |= yaml.load(file.read_text(encoding="utf-8"), _Loader) if file.exists() else {}
    (name,) = re.findall(r"[A-Za-z_]\w+", options["secret"].partition("|")[0])
    while "litellm_derivation_secret" not in variables[name]:
        (name,) = re.findall(r"\b\w*secret\w*", variables[name].partition("|")[0])
    assert variables[name] == IN_ROLES


def test_every_default_of_a_role_is_that_name_then_the_environment() -> None:
    found = {
        f"{path.parts[-3]}: {line.partition(':')[0]}": line.partition(": ")[2].strip().strip('"')
        for path in sorted((CHECKOUT / "roles").glob("*/defaults/main.yml"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.match(r"\w+_(derivation_)?secret:", line) and "tls" not in line and "client_secret" not in line
    }
    assert len(found) == 3 and set(found.values()) == {IN_ROLES}, found
