# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Check that each role's defaults and argument specs agree.

Every default of a role has an option with the same default in one of its entry points, and every option with a default has
that default in the role. A folder without tasks is not a role yet. A default of null means that the option has no default. A default that is a template may be
described in words, because the tools that read specs accept only values of the option's type; the default of a secret must
be, because Ansible renders the specs and prints them together with an argument that it refuses. The name of an option
with a default begins with the role's name.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.is_file() else {}


def problems_of(role: Path) -> list[str]:
    defaults = load(role / "defaults" / "main.yml")
    entry_points = load(role / "meta" / "argument_specs.yml").get("argument_specs", {})
    if not entry_points:
        return ["has no argument specs"]
    problems = [f"{name} has a default, but not the role's name in front" for name in defaults if not name.startswith(f"{role.name}_")]
    described: set[str] = set()
    for entry_point, spec in entry_points.items():
        for name, option in spec.get("options", {}).items():
            described.add(name)
            documented, actual = option.get("default"), defaults.get(name)
            computed = isinstance(actual, str) and "{{" in actual
            if documented != actual and not (computed and documented is None):
                problems.append(f"{name} defaults to {actual!r}, but to {documented!r} in the argument specs of {entry_point}")
            if option.get("no_log") and isinstance(documented, str) and "{{" in documented:
                problems.append(f"{name} is a secret, and its default would be printed rendered: tell it in words in the argument specs of {entry_point}")
            if option.get("required") and name in defaults:
                problems.append(f"{name} has a default, but is required in the argument specs of {entry_point}")
            if "description" not in option:
                problems.append(f"{name} has no description in the argument specs of {entry_point}")
    problems += [f"{name} has a default, but is not in the argument specs" for name in defaults if name not in described]
    return problems


def main() -> int:
    roles = sorted(path for path in (CHECKOUT / "roles").iterdir() if (path / "tasks").is_dir())
    problems = [f"roles/{role.name}: {problem}" for role in roles for problem in problems_of(role)]
    print("\n".join(problems) or f"{len(roles)} roles agree with their argument specs")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
