# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The worlds in which `KeyLives` lives lives: two real LiteLLMs, and two models of it."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY, START, LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel


class RealSite:
    """A real LiteLLM."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway, self.proxy = gateway, FaultyProxy(gateway.url)
        self.connection: dict[str, Any] = {"url": gateway.url, "api_key": gateway.master_key, "retry_delay": 0.2}

    def admin(self, path: str, **body: Any) -> None:
        self.gateway.post(path, **body)

    def rows(self, part: str) -> list[dict[str, Any]]:
        return self.gateway.keys_with(part)

    def works(self, value: str) -> bool:
        answer = self._models_for(value)
        assert answer.status_code in (200, 400, 401, 429), answer.text  # 400: releases before 1.83, for an expired key
        return answer.status_code in (200, 429)

    def _models_for(self, value: str) -> requests.Response:
        """Ask as the holder of the value, and again if the connection breaks: a gateway that is busy with hundreds of others resets some."""
        for _attempt in range(3):
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"{self.gateway.url}/models", headers={"Authorization": f"Bearer {value}"}, timeout=60)
            time.sleep(1)
        raise AssertionError(f"{self.gateway.url} broke three connections one after the other.")


class RealWorld:
    """Two real LiteLLMs. Waiting takes its time. A context manager."""

    name = "LiteLLM"

    def __init__(self, gateway: Gateway, other_gateway: Gateway) -> None:
        self.sites = [RealSite(gateway), RealSite(other_gateway)]
        self.models = {"granite": MOCK_MODELS[0], "mistral": MOCK_MODELS[1]}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        for site in self.sites:
            self._open.enter_context(site.proxy)
        return self

    def __exit__(self, *_problem: object) -> None:
        self._open.close()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def now(self) -> datetime:
        return datetime.now(UTC)


class ModelSite:
    """A model of LiteLLM, on loopback."""

    def __init__(self, model: LitellmModel) -> None:
        self.model, self.served = model, ServedModel(model)
        self.proxy = FaultyProxy(self.served.url)
        self.connection: dict[str, Any] = {"url": self.served.url, "api_key": MASTER_KEY, "retries": 0, "retry_delay": 0, "parallel_calls": 1}

    def admin(self, path: str, **body: Any) -> None:
        status, answer = self.model.handle("POST", path, {}, body)
        assert status == 200, answer

    def rows(self, part: str) -> list[dict[str, Any]]:
        rows, page = [], 1
        while True:
            query = {"return_full_object": "true", "size": "100", "page": str(page)}
            _status, answer = self.model.handle("GET", "/key/list", query, None)
            rows += [row for row in answer["keys"] if part in (row["key_alias"] or "")]
            if page >= answer["total_pages"]:
                return rows
            page += 1

    def works(self, value: str) -> bool:
        return self.model.works(value)


class ModelWorld:
    """Two models of LiteLLM. Waiting moves their clocks. A context manager."""

    name = "model"

    def __init__(self) -> None:
        # Half a millisecond apart: two gateways never make a key in the same microsecond.
        self.sites = [ModelSite(LitellmModel(now=moment)) for moment in (START, START + timedelta(microseconds=500))]
        self.models = {"granite": "granite", "mistral": "mistral"}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        for site in self.sites:
            self._open.enter_context(site.served)
            self._open.enter_context(site.proxy)
        return self

    def __exit__(self, *_problem: object) -> None:
        self._open.close()

    def wait(self, seconds: float) -> None:
        for site in self.sites:
            site.model.pass_time(seconds)

    def now(self) -> datetime:
        return self.sites[0].model.now
