# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The network: every harm at every exchange of every job. The module's own retries are part of the drill."""

from __future__ import annotations

from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.lab import JOBS, Lab
from ansible_collections.rhpds.litellm_virtual_keys.tests.drill.yard import Yard
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import Harm

BUSY = {"error": {"message": "slow down", "type": "throttling_error", "param": None, "code": "429"}}
BROKEN = {"error": {"message": "Internal Server Error.", "type": "internal_server_error", "param": None, "code": "500"}}
PAGE = b"<html><body>502 Bad Gateway</body></html>"
TIMEOUT = 1.0

HARMS: dict[str, dict[str, Any]] = {
    "connection reset": {"kind": "refuse"},
    "answer lost": {"kind": "lose"},
    "answer cut in the middle": {"kind": "cut"},
    "answer too late": {"kind": "delay", "seconds": TIMEOUT + 0.5},
    "request repeated": {"kind": "repeat"},
    "HTTP 429": {"kind": "answer", "status": 429, "body": BUSY, "headers": {"retry-after": "0"}},
    "HTTP 500": {"kind": "answer", "status": 500, "body": BROKEN},
    "HTTP 502 of an ingress": {"kind": "answer", "status": 502, "body": PAGE},
}


def run(yard: Yard) -> None:
    def through_proxy(lab: Lab) -> None:
        lab.module(lab.job.module, yard.proxy.url, timeout=TIMEOUT, parallel_calls=1)

    for job in JOBS:
        for at in range(yard.exchanges(job, through_proxy)):
            for name, harm in HARMS.items():
                with yard.drill("network", job, f"{name} at exchange {at + 1}") as lab:
                    yard.proxy.harms = [Harm(skip=at, times=1, **harm)]
                    through_proxy(lab)
                    lab.module(job.module)
                    lab.judge()
