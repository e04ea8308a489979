# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The layout of roles and playbooks, read from their files: thin YAML, no programs in Jinja, loop variables of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if (path / "tasks").is_dir())
WORKLOAD_VARS = ROOT / "roles" / "ocp4_workload_litellm_virtual_keys" / "vars" / "main.yml"
# Filters and methods that build structures. Use a function in plugin_utils with a unit test instead.
PROGRAM = re.compile(r"\|\s*zip\b|\bproduct\(|\bitems2dict\b|\bdict2items\b|map\('(?:combine|zip|items2dict|rejectattr)'|map\('regex_replace', '\$'")
LOOP_OVER_MAPPING = '| dict2items }}"'  # at the end of a loop, which takes lists only
STATEMENT = "{%"  # belongs into templates
# The catalogue of AWX objects is data, laid over common options entry by entry.
DATA = ROOT / "roles" / "awx_catalog" / "vars"


class _Loader(yaml.SafeLoader):
    """Reads Ansible's own tags (`!unsafe`, `!vault`) as the text behind them."""


_Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None)


def yaml_files(*patterns: str) -> list[Path]:
    return sorted({path for pattern in patterns for path in ROOT.glob(pattern)})


def tasks_in(content: Any) -> Iterator[dict[str, Any]]:
    """Yield every task of a task file or a playbook, including those in blocks."""
    for entry in content or []:
        if not isinstance(entry, dict):
            continue
        sections = [name for name in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always") if name in entry]
        for name in sections:
            yield from tasks_in(entry[name])
        if not sections:
            yield entry


def test_no_programs_in_jinja() -> None:
    files = yaml_files("roles/*/vars/**/*.yml", "roles/*/tasks/**/*.yml", "roles/*/defaults/**/*.yml", "roles/*/templates/**/*.j2", "playbooks/**/*.yml")
    found = {
        f"{path.relative_to(ROOT)}:{number}": line.strip()
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (PROGRAM.search(line.replace(LOOP_OVER_MAPPING, "")) or (STATEMENT in line and path.suffix == ".yml")) and not path.is_relative_to(DATA)
    }
    assert found == {}


def test_nothing_reads_the_invocation_of_a_result() -> None:
    files = yaml_files("roles/*/vars/**/*.yml", "roles/*/tasks/**/*.yml", "roles/*/templates/**/*.j2", "playbooks/**/*.yml", "playbooks/**/*.j2")
    found = [str(path.relative_to(ROOT)) for path in files if re.search(r"\binvocation\b", path.read_text(encoding="utf-8"))]
    assert found == [], "results have no invocation since ansible-core 2.21"


def blocks_in(content: Any) -> Iterator[dict[str, Any]]:
    for entry in content or []:
        for name in ("block", "rescue", "always"):
            yield from blocks_in(entry.get(name))
        if "block" in entry:
            yield entry


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_defaults_of_modules_in_a_block_need_nothing_that_the_block_registers(role: Path) -> None:
    """Up to release 2.18, ansible-core works them out for every task of the block."""
    offenders = []
    for path in sorted(role.rglob("tasks/**/*.yml")):
        for block in blocks_in(yaml.load(path.read_text(encoding="utf-8"), _Loader)):
            registered = {task["register"] for task in tasks_in(block["block"]) if "register" in task}
            used = set(re.findall(r"\w+", str(block.get("module_defaults", ""))))
            offenders += [f"{path.relative_to(ROOT)}: {block.get('name')}: {name}" for name in sorted(registered & used)]
    assert offenders == []


def test_the_workloads_variables_fit_on_a_page() -> None:
    assert len(WORKLOAD_VARS.read_text(encoding="utf-8").splitlines()) < 80


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_loop_of_a_role_has_a_variable_of_its_own(role: Path) -> None:
    offenders = []
    for path in sorted(role.rglob("tasks/**/*.yml")):
        for task in tasks_in(yaml.load(path.read_text(encoding="utf-8"), _Loader)):
            if any(name == "loop" or name.startswith("with_") for name in task):
                variable = (task.get("loop_control") or {}).get("loop_var", "item")
                if not variable.removeprefix("__").startswith(role.name):
                    offenders.append(f"{path.relative_to(ROOT)}: {task.get('name')}: {variable}")
    assert offenders == []


def whole_tasks_in(content: Any) -> Iterator[dict[str, Any]]:
    """Yield every task and every block of a task file."""
    for entry in content or []:
        yield entry
        for name in ("block", "rescue", "always"):
            yield from whole_tasks_in(entry.get(name))


def test_what_runs_on_the_controller_does_so_whatever_the_inventory_says_of_it() -> None:
    """Variables of the inventory override keywords: only those of the task are stronger, and make it neither root nor a guest of its own SSH server."""
    wanted = {"ansible_become": False, "ansible_connection": "local", "ansible_pipelining": True, "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    found = {
        f"{path.relative_to(ROOT)}: {task.get('name')}": {name: (task.get("vars") or {}).get(name) for name in wanted}
        for path in yaml_files("roles/*/tasks/**/*.yml")
        for task in whole_tasks_in(yaml.load(path.read_text(encoding="utf-8"), _Loader))
        if task.get("delegate_to") == "localhost"
    }
    assert found and {place: given for place, given in found.items() if given != wanted} == {}


def files_taken_in(tasks: Iterator[dict[str, Any]], *kinds: str) -> set[str]:
    """Return the names of the files that tasks include or import."""
    given = [task[f"ansible.builtin.{kind}"] for task in tasks for kind in kinds if f"ansible.builtin.{kind}" in task]
    return {name["file"] if isinstance(name, dict) else name for name in given}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_file_that_is_included_by_a_variable_imports_nothing(role: Path) -> None:
    """Up to release 2.18, ansible-core cannot look beside such a file, because it reads imports before it knows the variables of a host."""
    tasks = {path: list(tasks_in(yaml.load(path.read_text(encoding="utf-8"), _Loader))) for path in sorted((role / "tasks").rglob("*.yml"))}
    taken_in = files_taken_in((task for of_file in tasks.values() for task in of_file), "include_tasks", "import_tasks")
    if not any("{{" in name for name in taken_in):
        return
    entry_points = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    by_name = {Path(name).name for name in taken_in if "{{" not in name} | {f"{name}.yml" for name in (*entry_points, "main")}
    found = {str(path.relative_to(ROOT)): files_taken_in(iter(of_file), "import_tasks") for path, of_file in tasks.items() if path.name not in by_name}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_argument_specs_are_written_out(role: Path) -> None:
    text = (role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    assert [token for token in yaml.scan(text) if isinstance(token, yaml.AnchorToken | yaml.AliasToken)] == []
