# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The controller itself has a wrong clock or a full disk."""

from __future__ import annotations

from pathlib import Path

import libfaketime
from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.lab import JOBS, Lab, Lost
from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.yard import Yard

SKEWS = ("-26h", "-90m", "+90m", "+26h")
FAKETIME = Path(libfaketime.__file__).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
NO_MORE = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
"""A wrong clock goes on evenly, and threads that wait do not wait for ever. The option has an old and a new name."""
FULL = 'mount -t tmpfs -o size=4k,mode=0700 none "$0" && head -c 4096 /dev/zero >"$0/full"; exec "$@"'
"""For `sh -c FULL FOLDER COMMAND...` in a mount namespace of its own: FOLDER is a disk without a free byte."""


def run(yard: Yard) -> None:
    for job in JOBS:
        for skew in SKEWS:
            with yard.drill("clock", job, f"the controller's is {skew} off") as lab:
                lab.end(lab.start(environment={"LD_PRELOAD": str(FAKETIME), "FAKETIME": skew, **NO_MORE}), must_succeed=True)
                lab.judge()
                lab.run_again()
                lab.judge()
                lab.judge_user_info()
    for job in JOBS:
        if job.name in ("provision", "rotate"):  # the others write no key
            with yard.drill("disk", job, "full") as lab:
                on_a_full_disk(lab)
                lab.run_again()
                lab.judge()
                lab.judge_user_info()


def on_a_full_disk(lab: Lab) -> None:
    """Run with no room for user info, which the run must report."""
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    status = lab.end(lab.start(wrapper=[*namespace, "sh", "-c", FULL, str(lab.folder)]))
    if status == 0 or "No space left on device" not in lab.output:
        raise Lost(f"nothing was reported of a full disk:\n{lab.output[-2000:]}")
