# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Check that each action group of meta/runtime.yml is exactly the modules with the options that the group is for."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import NamedTuple

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTION = "rhpds.litellm_virtual_keys"


class Group(NamedTuple):
    options: str
    """The doc fragment with the options that the group's modules have in common."""
    promise: str
    """The doc fragment in which a module says that it is in the group."""


GROUPS = {
    "key_requests": Group(f"{COLLECTION}.request_store", f"{COLLECTION}.request_store.group"),
    "litellm": Group(f"{COLLECTION}.gateway", f"{COLLECTION}.attributes.litellm"),
}


def fragments(module: Path) -> set[str]:
    """Return the doc fragments that a module names."""
    for statement in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "DOCUMENTATION" for to in statement.targets):
            named = yaml.safe_load(ast.literal_eval(statement.value)).get("extends_documentation_fragment", [])
            return {named} if isinstance(named, str) else set(named)
    return set()


def problems_of(name: str, listed: set[str], documented: dict[str, set[str]]) -> list[str]:
    group = GROUPS[name]
    takers = {module for module, named in documented.items() if group.options in named}
    promisers = {module for module, named in documented.items() if group.promise in named}
    return [
        *(f"{module} uses the fragment {group.options}, but is not in the group {name}" for module in sorted(takers - listed)),
        *(f"{module} is in the group {name}, but does not use the fragment {group.options}" for module in sorted(listed - takers)),
        *(f"{module} is in the group {name}, but does not say so with the fragment {group.promise}" for module in sorted(listed - promisers)),
        *(f"{module} uses the fragment {group.promise}, but is not in the group {name}" for module in sorted(promisers - listed)),
    ]


def main() -> int:
    documented = {module.stem: fragments(module) for module in sorted((CHECKOUT / "plugins" / "modules").glob("*.py"))}
    groups = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    problems = [f"there is no rule here for the group {name}, or it is not in meta/runtime.yml" for name in sorted(GROUPS.keys() ^ groups.keys())]
    for name in sorted(GROUPS.keys() & groups.keys()):
        problems += problems_of(name, set(groups[name]), documented)
    print("\n".join(problems) or f"{len(groups)} action groups have the modules that they should")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
