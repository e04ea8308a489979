# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""PostgreSQL or LiteLLM itself stops and starts again in the middle of every job."""

from __future__ import annotations

import threading

from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.lab import JOBS
from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.yard import Yard
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import Harm

EXCHANGES = (1, 3, 5)
"""The exchanges, counted from 0, before which it stops: after the first read, at the first write, at the last one."""
PARTS = {"PostgreSQL": "postgres", "LiteLLM": "litellm"}


def run(yard: Yard) -> None:
    for part, service in PARTS.items():
        for job in JOBS:
            for at in EXCHANGES:
                with yard.drill("restart", job, f"{part} before exchange {at + 1}") as lab:
                    revival = threading.Thread(target=yard.gateway.start_postgres)  # starts whatever is down

                    def strike(after: bool, service: str = service, revival: threading.Thread = revival) -> None:
                        if not after:
                            yard.gateway.control("stop", "--only", service)
                            revival.start()

                    yard.proxy.harms = [Harm("call", skip=at, times=1, work=strike)]
                    lab.end(lab.start(yard.proxy.url))
                    if revival.ident is not None:
                        revival.join()
                    lab.run_again()
                    lab.judge()
                    lab.judge_user_info()
