# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The simplest client that makes given calls: a pooled session, eight threads, no checks. Its time is the limit to compare with.

    python bare.py < {"url": ..., "key": ..., "calls": [[path, body], ...]}

It runs in a process of its own, as a module does, and imports only what the calls need.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import requests
from requests.adapters import HTTPAdapter

THREADS = 8


def main() -> None:
    job = json.load(sys.stdin)
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=THREADS))
        session.headers.update({"Authorization": f"Bearer {job['key']}", "Content-Type": "application/json"})

        def call(path: str, body: str) -> None:
            session.post(job["url"] + path, data=body.encode(), timeout=60).raise_for_status()

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda made: call(*made), job["calls"]))


if __name__ == "__main__":
    main()
