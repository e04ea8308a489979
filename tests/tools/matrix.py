# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Run the unit tests, the documentation of every plugin and a syntax check of every playbook on each supported ansible-core,
with each supported Python that is installed; with --sanity, also ansible-test sanity. Arguments select some of them:
core-2.17 core-2.20@3.13
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from workshop import CHECKOUT, NAME, NAMESPACE, PYTHONS, interpreter

WORKSHOP = [sys.executable, str(Path(__file__).with_name("workshop.py")), "run"]


def commands(sanity: bool) -> list[list[str]]:
    modules = sorted(f"{NAMESPACE}.{NAME}.{path.stem}" for path in (CHECKOUT / "plugins" / "modules").glob("*.py"))
    playbooks = sorted(str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "playbooks").glob("*.yml"))
    return [
        ["pytest", "-q", "--durations=0", "--durations-min=30", "tests/unit"],
        ["sh", "-c", 'ansible-doc --type module --json "$@" >/dev/null', "ansible-doc", *modules],
        ["ansible-playbook", "--syntax-check", *playbooks],
        *([["python", "tests/tools/sanity.py"]] if sanity else []),
    ]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sanity", action="store_true", help="run ansible-test sanity too")
    parser.add_argument("--list", action="store_true", help="print all combinations as JSON, for CI, and stop")
    parser.add_argument("wanted", nargs="*", metavar="CORE[@PYTHON]", help="only these")
    arguments = parser.parse_args()
    if arguments.list:
        print(json.dumps([{"core": core.partition("-")[2], "python": minor} for core, pythons in PYTHONS.items() for minor in pythons]))
        return 0
    wanted: list[str] = arguments.wanted
    rows: list[tuple[str, str]] = []
    for core, pythons in PYTHONS.items():
        for minor in pythons:
            combination = f"{core}@{minor}"
            if wanted and core not in wanted and combination not in wanted:
                continue
            found = interpreter((minor,))
            if found is None:
                rows.append((combination, f"left out: no Python {minor} on this machine"))
                continue
            print(f"--- {combination}", flush=True)
            started = time.monotonic()
            failed = [command[0] for command in commands(arguments.sanity) if subprocess.run([*WORKSHOP, combination, *command], check=False).returncode]
            rows.append((combination, f"{'failed: ' + ', '.join(failed) if failed else 'ok'} ({time.monotonic() - started:.0f} s)"))
    print("---")
    for combination, result in rows:
        print(f"{combination:<18}{result}")
    bad = sum(result.startswith("failed") for _combination, result in rows)
    good = sum(result.startswith("ok") for _combination, result in rows)
    print(f"{good} passed, {bad} failed", flush=True)
    return 0 if good and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
