# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Make several targets in order, even if one fails, and print a table of results and times at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def main(targets: list[str]) -> int:
    rows: list[tuple[str, str, float]] = []
    for target in targets:
        print(f"--- make {target}", flush=True)
        started = time.monotonic()
        status = subprocess.run([os.environ.get("MAKE", "make"), "--no-print-directory", target], cwd=CHECKOUT, check=False).returncode
        rows.append((target, "failed" if status else "ok", time.monotonic() - started))
    print("---")
    for target, result, seconds in rows:
        print(f"{result:<7}{seconds:>6.1f} s  {target}")
    failed = [target for target, result, _seconds in rows if result == "failed"]
    print(f"{len(rows) - len(failed)} gates passed, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
