# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The action group `litellm` is exactly the modules and actions that take the options of the fragment `gateway`."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
GROUP = "litellm"
COLLECTION = "rhpds.litellm_virtual_keys"
PROMISE = f"{COLLECTION}.attributes.{GROUP}"
OPTIONS = f"{COLLECTION}.gateway"


def fragments(module: Path) -> set[str]:
    """The doc fragments that a module names."""
    for statement in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "DOCUMENTATION" for to in statement.targets):
            named = yaml.safe_load(ast.literal_eval(statement.value)).get("extends_documentation_fragment", [])
            return {named} if isinstance(named, str) else set(named)
    return set()


def main() -> int:
    documented = {module.stem: fragments(module) for module in sorted((CHECKOUT / "plugins" / "modules").glob("*.py"))}
    group = set(yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"][GROUP])
    takers = {name for name, named in documented.items() if OPTIONS in named}
    promisers = {name for name, named in documented.items() if PROMISE in named}
    problems = [
        *(f"{name} takes the gateway's options, but meta/runtime.yml does not list it in the group {GROUP}" for name in sorted(takers - group)),
        *(f"{name} is in the group {GROUP} of meta/runtime.yml, but does not use the fragment {OPTIONS}" for name in sorted(group - takers)),
        *(f"{name} uses only one of the fragments {OPTIONS} and {PROMISE}" for name in sorted(takers ^ promisers)),
    ]
    print("\n".join(problems) or f"{len(group)} modules in the group {GROUP}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
