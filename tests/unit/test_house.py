# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The layout of the collection, read from its own files: what may import what, what a name means, how long a file may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
PACKAGE = "ansible_collections.rhpds.litellm_virtual_keys.plugins"

# Each wing of module_utils, with the wings that it may import. Nothing imports upwards, and siblings do not import each other.
WINGS = {
    "common": set[str](),
    "litellm": {"common"},
    "key_requests": {"common"},
    "delivery": {"common"},
    "keys": {"litellm", "common"},
    "catalogue": {"litellm", "common"},
    "fleet": {"keys", "catalogue", "litellm", "common"},
    "migration": {"keys", "litellm", "common"},
    "usage": {"keys", "litellm", "common"},
}
# The files of a wing that may import Ansible: argument specs. The portal uses key_requests and delivery without them.
MAY_IMPORT_ANSIBLE = {"options.py"}
# Each kind of plugin, with the folders beside module_utils whose code it may import.
PLUGIN_FOLDERS = {
    "module_utils": set[str](),
    "plugin_utils": {"module_utils"},
    "sub_plugins": {"module_utils", "plugin_utils"},
    "modules": {"module_utils"},
    "action": {"module_utils", "plugin_utils"},
    "callback": {"module_utils", "plugin_utils"},
    "filter": {"module_utils", "plugin_utils"},
    "inventory": {"module_utils", "plugin_utils"},
    "lookup": {"module_utils", "plugin_utils"},
    "doc_fragments": set[str](),
}
# Names that Ansible, or the loader of approval rules, looks for in each file.
GIVEN_NAMES = {"main", "ActionModule", "CallbackModule", "FilterModule", "InventoryModule", "LookupModule", "ModuleDocFragment", "Rule"}
LONGEST_FILE = 600
LONGEST_FUNCTION = 60
MOST_WINGS = 10


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py") if "output" not in path.parts)


def imports(path: Path) -> Iterator[str]:
    """Yield the full dotted names of everything that a file imports, anywhere in the file."""
    package = [*PACKAGE.split("."), *path.relative_to(PLUGINS).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imported_plugins(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield what a file imports of the collection's own plugins, as the parts after `plugins`."""
    for name in imports(path):
        if name.startswith(f"{PACKAGE}."):
            yield tuple(name.removeprefix(f"{PACKAGE}.").split("."))


def test_module_utils_is_nothing_but_its_wings() -> None:
    entries = {path.name for path in (PLUGINS / "module_utils").iterdir() if path.name != "__pycache__"}
    assert entries == set(WINGS)
    assert len(WINGS) <= MOST_WINGS
    assert [wing for wing in WINGS if not ast.get_docstring(ast.parse((PLUGINS / "module_utils" / wing / "__init__.py").read_text(encoding="utf-8")))] == []


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_imports_only_the_wings_below_it(wing: str) -> None:
    offenders = [
        f"{path.relative_to(PLUGINS)} imports {'.'.join(parts)}"
        for path in sorted((PLUGINS / "module_utils" / wing).rglob("*.py"))
        for parts in imported_plugins(path)
        if parts[0] != "module_utils" or parts[1] not in WINGS[wing] | {wing}
    ]
    assert offenders == []


def test_only_options_import_ansible() -> None:
    offenders = [
        f"{path.relative_to(PLUGINS)} imports {name}"
        for path in python_files("plugins/module_utils")
        for name in imports(path)
        if name.split(".")[0] == "ansible" and path.name not in MAY_IMPORT_ANSIBLE and not _only_for_types(path, name)
    ]
    assert offenders == []


def test_options_are_read_strictly() -> None:
    """Every module is a StrictModule, and every action that reads options as a module does uses `checked_arguments`."""
    loose = ("AnsibleModule(", "validate_argument_spec(")
    allowed = {PLUGINS / "module_utils" / "common" / "options.py", PLUGINS / "plugin_utils" / "task_arguments.py"}
    texts = {path: path.read_text(encoding="utf-8") for path in python_files("plugins") if path not in allowed}
    assert [f"{path.relative_to(PLUGINS)} calls {call}" for path, text in texts.items() for call in loose if call in text] == []


def _only_for_types(path: Path, name: str) -> bool:
    """Return whether a file imports `name` only under TYPE_CHECKING."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = [node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"]
    inside = {f"{each.module}.{alias.name}" for node in guarded for each in node.body if isinstance(each, ast.ImportFrom) for alias in each.names}
    return name in inside


@pytest.mark.parametrize("folder", PLUGIN_FOLDERS)
def test_plugins_import_only_what_is_below_them(folder: str) -> None:
    offenders = [
        f"{path.relative_to(PLUGINS)} imports {'.'.join(parts)}"
        for path in python_files(f"plugins/{folder}")
        for parts in imported_plugins(path)
        if parts[0] not in PLUGIN_FOLDERS[folder] | {folder} or (folder == "modules" and parts[0] == "modules")
    ]
    assert offenders == []


def test_every_kind_of_plugin_is_known_here() -> None:
    assert {path.name for path in PLUGINS.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(PLUGIN_FOLDERS)


def test_inside_plugins_imports_of_the_collection_are_relative() -> None:
    offenders = [
        f"{path.relative_to(PLUGINS)}:{node.lineno}"
        for path in python_files("plugins")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").startswith(PACKAGE)
    ]
    assert offenders == []


def test_one_name_means_one_thing() -> None:
    places: dict[str, list[str]] = {}
    for path in python_files("plugins"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_") or node.name in GIVEN_NAMES:
                continue
            if path.parent.name != "filter" or node.name != path.stem:  # a filter may wrap the function of its name
                places.setdefault(node.name, []).append(f"{path.relative_to(PLUGINS)}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_file_is_too_long() -> None:
    suffixes = {".py", ".yml", ".yaml", ".j2", ".mjs", ".md"}
    folders = ("plugins", "roles", "playbooks", "extensions", "tests")
    files = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in suffixes and "output" not in path.parts)
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_too_long() -> None:
    found = {}
    for path in python_files("plugins", "roles", "playbooks", "tests"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    found[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = length
    assert found == {}
