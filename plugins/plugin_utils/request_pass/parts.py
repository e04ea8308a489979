# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The parts of a pass, as its steps see them, and its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...module_utils.key_requests.base import Store
from ...module_utils.keys.key import LiveKey
from ..approval.chain import ChainOutcome
from ..delivery import DeliverySettings
from .gateway import Minted
from .key_secrets import SecretKeeper
from .offers import Offers
from .post import ChannelPoster, MailSender
from .ways import DeliveryWay, ways_of

CHAIN = "approval chain"
"""Who decides, as the history shows it."""
PATIENCE = 120
"""Seconds that a pass waits for another one to end."""


class ApprovalChain(Protocol):
    """The approval chain of a site with its offers."""

    offers: Offers
    policy: str
    """The digest of chain and offers."""
    counts_keys: bool
    """Whether a rule asks how many keys somebody has."""
    has_rules: bool
    needs_several: bool
    """Whether a rule wants the approval of several people, or of somebody else than the requester."""

    def decide(self, requests: Sequence[Mapping[str, Any]], models: Sequence[str] | None, usage: Sequence[Mapping[str, Any]] | None) -> list[ChainOutcome]:
        """Return the decision on each request, in the same order."""

    def rehearse(self, request: Mapping[str, Any], models: Sequence[str] | None, usage: Sequence[Mapping[str, Any]] | None) -> ChainOutcome:
        """Return the decision on one request if no service were asked; see `unasked`."""

    def unasked(self, outcome: ChainOutcome) -> list[str]:
        """Return the names of the rules that would have asked a service, and were not able to in a rehearsal."""

    def may_need_several(self, outcome: ChainOutcome) -> bool:
        """Return whether it is open if a rule wants the approval of several people, because an earlier one gave no answer."""


class Gateway(Protocol):
    """See `gateway.PassGateway`."""

    @property
    def calls(self) -> int: ...

    def models(self) -> list[str]: ...

    def access_groups(self) -> list[str]: ...

    def living_keys(self) -> list[LiveKey]: ...

    def keys_with(self, aliases: Sequence[str]) -> dict[str, LiveKey]: ...

    def mint(self, wanted: Mapping[str, Mapping[str, Any]]) -> Minted: ...

    def in_service(self, aliases: Sequence[str]) -> dict[str, dict[str, Any]]: ...

    def revoke(self, aliases: Sequence[str]) -> None: ...

    def deleted(self, aliases: Sequence[str]) -> set[str] | None: ...

    def change(self, wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, str | Exception]: ...


@dataclass(frozen=True)
class PassSettings:
    """What a pass does besides deciding. `store_variables` name the store in the commands that reviewers get."""

    delivery: DeliverySettings
    mails_answers: bool = True
    """Whether those who are denied, those whose key is in a Secret only, and the reviewers get mails."""
    reviewers: Sequence[str] = ()
    store_variables: Mapping[str, str] | None = None

    @property
    def ways(self) -> list[DeliveryWay]:
        """The ways in which keys are delivered, in order."""
        return ways_of(self.delivery, announces=self.mails_answers)


@dataclass(frozen=True)
class PassParts:
    """The parts of a pass: the store, the chain or the reason why there is none, the gateway, and the ways to people."""

    store: Store
    chain: ApprovalChain | ValueError
    gateway: Gateway
    mailer: MailSender
    secrets: SecretKeeper
    channels: ChannelPoster
    clock: Callable[[], str]
