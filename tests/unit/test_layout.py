# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Which folder of the tests may import which, read from the imports; and that the folders mirror the collection and tests/README.md."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
TESTS = CHECKOUT / "tests"
PACKAGE = "ansible_collections.rhpds.litellm_virtual_keys.tests"

MAY_IMPORT = {
    "bench": {"support", "tools"},
    "collections": set(),
    "conftest.py": {"support", "tools"},
    "drill": {"support", "tools"},
    "integration": {"support", "tools"},
    "leak": {"support", "tools"},
    "molecule": {"support", "tools"},
    "support": {"tools"},
    "tools": set(),
    "unit": {"support", "tools"},
}
"""The folders that each folder imports beside itself. Code that two of them share belongs in support."""
UNDER_TEST = ("bench", "leak")
"""Folders with unit tests of their own: tests/unit/<folder> imports them too."""
PROGRAMS = ("integration/gateway/sdk_programs", "support/ansible/warm", "tools")
"""Folders with programs that another Python starts by their path: it knows no collection, and finds the files beside the program."""

IN_THIS_PROCESS = f"{PACKAGE}.support.ansible.modules.run_module"
"""Integration tests use `call_module` instead, which a cold run does by ansible-playbook."""


def imported_by(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of every import; a relative name begins with its dots."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def offences(tests: Path) -> list[str]:
    """Return everything that breaks the rules in a folder of tests, with file and line."""
    files = sorted(path for path in tests.rglob("*.py") if "output" not in path.relative_to(tests).parts[:1])
    stems = {path.stem for path in files} - set(sys.stdlib_module_names)
    found = []
    for path in files:
        relative = path.relative_to(tests)
        folder, program = relative.parts[0], relative.parent.as_posix() in PROGRAMS
        allowed = {folder} | MAY_IMPORT.get(folder, set())
        if folder == "unit" and relative.parts[1] in UNDER_TEST:
            allowed.add(relative.parts[1])
        for line, name in imported_by(path.read_text(encoding="utf-8")):
            where = f"tests/{relative.as_posix()}:{line}"
            if name.startswith("."):
                found.append(f"{where} imports {name}: write the whole name, from {PACKAGE} on")
            elif name.partition(".")[0] in stems and not program:
                found.append(f"{where} imports {name} without its package: write the whole name, from {PACKAGE} on")
            elif name.startswith(f"{PACKAGE}.") and name.split(".")[4] not in allowed:
                found.append(f"{where} imports {name}: tests/{folder} imports {', '.join(sorted(allowed))} only")
            elif folder == "integration" and name == IN_THIS_PROCESS:
                found.append(f"{where} imports run_module: import call_module, which a cold run does by ansible-playbook")
    return found


def test_no_folder_imports_what_it_should_not() -> None:
    assert offences(TESTS) == []


@pytest.mark.parametrize(
    ("file", "line", "reason"),
    [
        ("support/ansible/runs.py", f"from {PACKAGE}.integration.keys import helper", "tests/support imports support, tools only"),
        ("integration/keys/test_it.py", f"import {PACKAGE}.bench.charts", "tests/integration imports integration, support, tools only"),
        ("bench/cases/case.py", f"from {PACKAGE}.integration import conftest", "tests/bench imports bench, support, tools only"),
        ("unit/plugins/test_it.py", f"from {PACKAGE}.bench.charts import draw", "tests/unit imports support, tools, unit only"),
        ("integration/keys/test_it.py", "def f():\n    from helper import thing", "without its package"),
        ("integration/keys/test_it.py", "import helper", "without its package"),
        ("bench/cases/case.py", "from ..charts import draw", "imports ..charts.draw: write the whole name"),
        ("integration/keys/test_it.py", f"from {PACKAGE}.support.ansible.modules import run_module", "import call_module"),
        ("drill/case.py", "from . import helper", "imports ..helper: write the whole name"),
    ],
)
def test_an_offender_is_named(tmp_path: Path, file: str, line: str, reason: str) -> None:
    (tmp_path / "support").mkdir()
    (tmp_path / "support" / "helper.py").write_text("")
    offender = tmp_path / file
    offender.parent.mkdir(parents=True, exist_ok=True)
    offender.write_text(f"import json\n{line}\n")
    (offence,) = offences(tmp_path)
    assert offence.startswith(f"tests/{file}:") and reason in offence


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("unit/bench/test_it.py", f"from {PACKAGE}.bench.charts import draw"),
        ("unit/plugins/test_it.py", f"from {PACKAGE}.support.helper import thing"),
        ("integration/keys/test_it.py", f"from {PACKAGE}.integration.requests import desk"),
        ("tools/matrix.py", "from helper import thing"),
        ("support/ansible/warm/modules.py", "import helper"),
        ("drill/case.py", "import json"),
    ],
)
def test_these_are_allowed(tmp_path: Path, file: str, line: str) -> None:
    (tmp_path / "support").mkdir()
    (tmp_path / "support" / "helper.py").write_text("")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(line + "\n")
    assert offences(tmp_path) == []


def folders(parent: Path) -> set[str]:
    """Return the folders that hold a file; empty ones are left over from another branch."""
    return {path.name for path in parent.iterdir() if path.is_dir() and path.name != "__pycache__" and any(_files(path))}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")


def test_unit_tests_mirror_the_plugins() -> None:
    plugins, unit = CHECKOUT / "plugins", TESTS / "unit" / "plugins"
    assert folders(unit) <= folders(plugins)
    assert folders(unit / "module_utils") <= folders(plugins / "module_utils")
    of_a_wing = {f"test_{path.name}" for path in (plugins / "module_utils").glob("*/*.py")}
    assert [path.name for path in (unit / "module_utils").glob("*.py") if path.name in of_a_wing] == [], "a wing's tests lie in its folder"


def test_integration_tests_lie_in_a_folder_of_their_subject() -> None:
    assert [path.name for path in (TESTS / "integration").glob("*.py")] == ["conftest.py"]


def test_the_readme_names_exactly_the_existing_folders() -> None:
    rows = re.findall(r"^\| `([^`]+)`", (TESTS / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    named = {row for row in rows if row.endswith("/")}
    present = {f"{name}/" for name in folders(TESTS) - {"output"}}
    present |= {f"{parent}/{name}/" for parent in ("support", "integration") for name in folders(TESTS / parent)}
    assert named == present
    assert [row for row in rows if not (TESTS / row).exists()] == []
