# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""50 models and 10 credentials: created, checked again, one of each changed; compared with the same writes by a bare client.

make bench ARGS="--case models"
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
import requests.adapters
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.bench import Bench
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.results import Bar, Result
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Cell, Table

MODELS, CREDENTIALS = 50, 10
OVERHEAD_SECONDS = 5.0
PARALLEL = 8
NAME = "bench-models"


def run(bench: Bench) -> Result:
    wanted: dict[str, Any] = {
        "credentials": [{"name": f"{NAME}-{number}", "provider": "openai", "provider_key": f"the-provider's-key-{number}"} for number in range(CREDENTIALS)],
        "models": [{"name": f"{NAME}-{number}", "upstream": "openai/x", "credential": f"{NAME}-{number % CREDENTIALS}", "rpm": 5} for number in range(MODELS)],
    }
    bench.say(f"{MODELS} models and {CREDENTIALS} credentials ...")
    bare = bare_writes(bench.gateway.url, bench.gateway.master_key)
    rows: list[list[Cell]] = []
    seconds: dict[str, float] = {}
    for what, change in (("made", lambda: None), ("again", lambda: None), ("one of each changed", lambda: changed(wanted)), ("removed", lambda: None)):
        change()
        arguments = {"set_name": NAME, "state": "absent"} if what == "removed" else {"set_name": NAME, "state": "exact", **wanted}
        seconds[what], done = timed(lambda arguments=arguments: applied(bench, arguments))
        rows.append([what, seconds[what], done["calls"], "yes" if done["changed"] else "no"])
        if what == "again":
            again = done
    rows.append(["the same writes by a bare client", bare, MODELS + CREDENTIALS, ""])
    over = seconds["made"] - bare
    return Result(
        [Table("50 models and 10 credentials", ["what", "seconds", "HTTP calls", "changed"], rows)],
        [
            Bar("50 models and 10 credentials, over the writes themselves", f"at most {OVERHEAD_SECONDS:.0f} s", f"{over:.2f} s", over <= OVERHEAD_SECONDS),
            Bar("the same again", "2 calls, unchanged", f"{again['calls']} calls", again["calls"] == 2 and not again["changed"]),
        ],
    )


def changed(wanted: dict[str, Any]) -> None:
    wanted["models"][0]["rpm"] = 6
    wanted["credentials"][0]["provider_key"] = "the-provider's-next-key"


def applied(bench: Bench, arguments: dict[str, Any]) -> dict[str, Any]:
    done = run_module("models", {"url": bench.gateway.url, "api_key": bench.gateway.master_key, "parallel_calls": PARALLEL, **arguments})
    assert not done.get("failed"), done["msg"]
    return done


def bare_writes(url: str, key: str) -> float:
    """Return the seconds for the same writes without reads. The entries are deleted again."""
    with requests.Session() as session, ThreadPoolExecutor(PARALLEL) as pool:
        session.headers["Authorization"] = f"Bearer {key}"
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=PARALLEL))

        def send(method: str, path: str, body: dict[str, Any] | None = None) -> None:
            answer = session.request(method, url + path, json=body, timeout=60)
            assert answer.ok, answer.text

        def credential(number: int) -> None:
            values = {"api_key": f"the-provider's-key-{number}"}
            send("POST", "/credentials", {"credential_name": f"bare-{number}", "credential_values": values, "credential_info": {}})

        def model(number: int) -> None:
            params = {"model": "openai/x", "litellm_credential_name": f"bare-{number % CREDENTIALS}", "rpm": 5}
            send("POST", "/model/new", {"model_name": f"bare-{number}", "litellm_params": params, "model_info": {"id": f"bare-{number}"}})

        def write() -> None:
            list(pool.map(credential, range(CREDENTIALS)))
            list(pool.map(model, range(MODELS)))

        seconds, _done = timed(write)
        list(pool.map(lambda number: send("POST", "/model/delete", {"id": f"bare-{number}"}), range(MODELS)))
        list(pool.map(lambda number: send("DELETE", f"/credentials/bare-{number}"), range(CREDENTIALS)))
        return seconds


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    done = work()
    return time.perf_counter() - started, done
