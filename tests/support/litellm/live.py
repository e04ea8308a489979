# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The fixture `live`: the modules that manage keys, run on the real gateway."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway

GRANITE, MISTRAL, LLAMA = MOCK_MODELS
SECRET = "the secret of the integration tests"


class Live:
    """Runs modules against the gateway, or against a proxy before it: `live("virtual_key", guid=..., _check=True)`.

    Keywords of the task (check, diff, no_log) begin with an underscore. `name` is a GUID, or a part of aliases, that no other
    test uses; its keys are deleted when the test ends.
    """

    def __init__(self, gateway: Gateway, name: str) -> None:
        self.gateway, self.name, self.url = gateway, name, gateway.url

    def connection(self, **more: Any) -> dict[str, Any]:
        return {"url": self.url, "api_key": self.gateway.master_key, "retry_delay": 0.2, **more}

    def __call__(self, module: str, **arguments: Any) -> dict[str, Any]:
        task = {option: arguments.pop(f"_{option}") for option in ("check", "diff", "no_log") if f"_{option}" in arguments}
        secret = {} if module.endswith("_info") or module == "spend_receipt" else {"secret": SECRET}
        return call_module(module, {**self.connection(**secret), **arguments}, **task)

    def run_ok(self, module: str, **arguments: Any) -> dict[str, Any]:
        result = self(module, **arguments)
        assert not result.get("failed"), result["msg"]
        return result

    def lab(self, *users: str, **arguments: Any) -> dict[str, Any]:
        """Create the lab's keys for these users; by default they may use one model for a day."""
        keys = [{"user": user} for user in users] or [{}]
        return self.run_ok("virtual_keys", **{"guid": self.name, "keys": keys, "models": [GRANITE], "duration": "1d", **arguments})

    def alias(self, user: str = "") -> str:
        return f"virtkey-{self.name}-{user}" if user else f"virtkey-{self.name}"

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows of the test's keys, by alias."""
        found = self.gateway.keys_with(self.name)
        assert len({row["key_alias"] for row in found}) == len(found), "two rows share an alias"
        return {row["key_alias"]: row for row in found}

    def works(self, value: str) -> bool:
        """Return whether the gateway accepts the value now, even if its budget is spent. Asks over a new connection."""
        answer = requests.get(f"{self.gateway.url}/models", headers={"Authorization": f"Bearer {value}"}, timeout=30)
        refused = answer.status_code == 401 or (answer.status_code == 400 and "expired_key" in answer.text)  # 400: LiteLLM 1.82.6
        assert refused or answer.status_code in (200, 429) or "budget_exceeded" in answer.text, answer.text
        return not refused

    def clean(self) -> None:
        tokens = [row["token"] for row in self.gateway.keys_with(self.name)]
        if tokens:
            self.gateway.request("POST", "/key/delete", json={"keys": tokens})


def token(value: str) -> str:
    """Return the token of a value, which is all that LiteLLM stores."""
    return hashlib.sha256(value.encode()).hexdigest()


@pytest.fixture
def live(gateway: Gateway, unique: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    for name in ("LITELLM_BASE_URL", "LITELLM_MASTER_KEY", "LITELLM_API_KEY", "LITELLM_DERIVATION_SECRET"):
        monkeypatch.delenv(name, raising=False)
    live = Live(gateway, unique)
    yield live
    live.clean()
