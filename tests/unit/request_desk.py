# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A desk for unit tests of passes: a store in a directory, and a gateway, a mailer and a writer of Secrets that can be told to fail.

The real ones are tested in `integration/requests`. These show faults that the real ones cannot be made to show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk as PeoplesDesk
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.errors import Unreachable
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.delivery import DeliverySettings
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.gateway import Minted
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.key_secrets import KeySecret, SecretsUnknown
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.offers import Offers
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.parts import PassParts, PassSettings
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.post import PostResult
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.report import PassReport
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.run import run_pass
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.site_chain import SiteChain

AT = "2026-11-21T04:00:00Z"
PACKAGES: dict[str, Any] = {"dev": {"models": ["granite", "mistral"], "duration": "30d", "max_budget": 5}}
CHAIN: list[dict[str, Any]] = [{"name": "email", "config": {"pattern": "*@company.com"}}]


@dataclass
class FakeGateway:
    """Holds keys by alias. `down` makes every call fail, `refuses` gives the reason why one alias is not made."""

    served: list[str] = field(default_factory=lambda: ["granite", "mistral", "llama"])
    groups: list[str] = field(default_factory=list)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    living: list[Any] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    wanted: list[Mapping[str, Any]] = field(default_factory=list)
    changed: dict[str, Any] = field(default_factory=dict)
    down: bool = False
    remembers: bool = True
    while_minting: Callable[[], Any] = lambda: None
    calls: int = 0

    def _call(self) -> None:
        self.calls += 1
        if self.down:
            raise Unreachable("the gateway does not answer.")

    def models(self) -> list[str]:
        self._call()
        return self.served

    def access_groups(self) -> list[str]:
        self._call()
        return self.groups

    def living_keys(self) -> list[Any]:
        self._call()
        return self.living

    def keys_with(self, aliases: Sequence[str]) -> dict[str, LiveKey]:
        self._call()
        return {alias: LiveKey.from_row({"key_alias": alias, "token": "t", "spend": 1.25, **self.keys[alias]}) for alias in aliases if alias in self.keys}

    def mint(self, wanted: Mapping[str, Mapping[str, Any]]) -> Minted:
        if self.down:
            return Minted(failures=dict.fromkeys(wanted, Unreachable("the gateway does not answer.")))
        self.while_minting()
        minted = Minted()
        for alias, arguments in wanted.items():
            self.wanted.append(arguments)
            if alias in self.refuses or "*" in self.refuses:
                minted.failures[alias] = self.refuses.get(alias) or self.refuses["*"]
            else:
                key = {"alias": alias, "value": derive.value("s" * 16, alias), "models": arguments["models"], "expires": "2026-12-21T04:00:00Z"}
                minted.keys[alias] = self.keys[alias] = key
        return minted

    def in_service(self, aliases: Sequence[str]) -> dict[str, dict[str, Any]]:
        self._call()
        return {alias: self.keys[alias] for alias in aliases if alias in self.keys}

    def deleted(self, aliases: Sequence[str]) -> set[str] | None:
        return self.gone & set(aliases) if self.remembers else None

    def change(self, wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        self._call()
        failures = {alias: self.refuses[alias] for alias in wanted if alias in self.refuses}
        for alias, arguments in wanted.items():
            if alias not in failures:
                self.changed[alias] = arguments
                if "extend_until" in arguments:
                    self.keys[alias]["expires"] = arguments["extend_until"]
        return failures

    def revoke(self, aliases: Sequence[str]) -> None:
        self._call()
        for alias in aliases:
            del self.keys[alias]
            self.gone.add(alias)

    def delete(self, alias: str) -> None:
        """Delete a key as its admin does."""
        del self.keys[alias]
        self.gone.add(alias)


@dataclass
class FakePost:
    """Takes mails and Secrets. `results` by recipient or name of a Secret are given instead of success."""

    sent: list[Mapping[str, Any]] = field(default_factory=list)
    results: dict[str, PostResult] = field(default_factory=dict)
    webhooks: dict[str, list[str]] = field(default_factory=dict)
    """The kinds of notices of each channel."""
    secrets: list[KeySecret] | SecretsUnknown = field(default_factory=list)
    """The Secrets that exist, or why they cannot be listed."""
    removed: list[KeySecret] = field(default_factory=list)

    def send(self, messages: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        return [self._take(message, message["to"]) for message in messages]

    def apply(self, manifests: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        return [self._take(manifest, "secret") for manifest in manifests]

    def find(self, namespace: str) -> list[KeySecret]:
        if isinstance(self.secrets, SecretsUnknown):
            raise self.secrets
        return self.secrets

    def remove(self, secrets: Sequence[KeySecret]) -> list[PostResult]:
        results = [self.results.get(f"remove {secret.name}", PostResult(True)) for secret in secrets]
        self.removed += [secret for secret, result in zip(secrets, results, strict=True) if result.delivered]
        return results

    def _take(self, content: Mapping[str, Any], target: str) -> PostResult:
        result = self.results.get(target, PostResult(True))
        if result.delivered:
            self.sent.append(content)
        return result

    def channels(self, kind: str) -> list[str]:
        return [name for name, kinds in self.webhooks.items() if kind in kinds]

    def post(self, channel: str, messages: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        return [self._take({**message, "to": f"#{channel}"}, f"#{channel}") for message in messages]

    def kinds_to(self, address: str) -> list[str]:
        return [mail["kind"] for mail in self.sent if mail.get("to") == address]


class TestDesk:
    """A desk with a clock that stands still until it is moved."""

    __test__ = False

    def __init__(self, directory: Path) -> None:
        self.at = AT
        self.store = DirectoryStore(str(directory / "requests"))
        self.gateway, self.post = FakeGateway(), FakePost()
        self.people = PeoplesDesk(self.store, clock=lambda: self.at)
        self.settings = PassSettings(DeliverySettings(["mail"], url="https://llm.example.com"))
        self.packages, self.limits, self.rules = PACKAGES, dict[str, Any](), CHAIN

    def ask(self, name: str = "ada", **wish: Any) -> str:
        wanted = {"package": "dev", **wish} if "models" not in wish else wish
        after = self.people.ask(Wish(f"{name}@{wanted.pop('domain', 'company.com')}", **wanted)).after
        assert after is not None
        return after.id

    def get(self, request_id: str) -> Record:
        return self.store.get(request_id)

    def chain(self) -> SiteChain | ValueError:
        """Return the chain of the rules, or why it cannot be used."""
        try:
            return SiteChain(self.rules, Offers.from_settings(self.packages, self.limits, "30d"), DataLoader())
        except ValueError as error:
            return error

    def make_pass(self, **settings: Any) -> PassReport:
        desk = PassParts(self.store, self.chain(), self.gateway, self.post, self.post, self.post, lambda: self.at)
        return run_pass(desk, replace(self.settings, **settings))

    def hours_later(self, hours: int) -> None:
        """Move the clock, so that a failure may be tried again."""
        self.at = f"2026-11-{21 + (4 + hours) // 24:02}T{(4 + hours) % 24:02}:00:00Z"
