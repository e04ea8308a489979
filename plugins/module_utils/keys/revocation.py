# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Prove that deleted values are refused, by calling the gateway with each of them; and say how strong that proof is.

A LiteLLM worker looks keys up in its own memory first. The worker that deletes a key forgets it at once; any other goes on
accepting it until its entry is `user_api_key_cache_ttl` seconds old, 60 unless configured (LiteLLM 1.102.4,
`proxy/auth/auth_checks.py` and `caching/in_memory_cache.py`; reading an entry does not make it younger). A call meets one worker, and
the caller cannot choose which. So refusals prove a revocation only once every worker has had the time to forget.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..litellm import errors
from ..litellm.client import Client

CACHE_SECONDS = 60.0  # LiteLLM's default
MARGIN_SECONDS = 5.0  # a worker may have read the key from the database just before it was deleted, and stored it a little later
FEWEST_REFUSALS = 2
_MISSED = 0.01  # the share of quick proofs that may miss a worker which still accepts, if the calls spread over all workers evenly
_ROUND_SECONDS = 1.0
_HOPELESS = (*errors.HOPELESS, errors.Inconclusive, errors.OutOfTime)


class ProofKind(enum.StrEnum):
    """How strong a proof is asked for: refused a few times, refused after every worker has forgotten, or no proof."""

    QUICK = "quick"
    CERTAIN = "certain"
    NONE = "none"


@dataclass(frozen=True)
class Proof:
    """How to prove a revocation. Times are in seconds.

    `cache_time` is how long the gateway's workers remember a key, `workers` how many there are in all replicas, and `timeout` bounds the whole
    proof with all retries; see the doc fragment `proof`.
    """

    kind: ProofKind = ProofKind.QUICK
    cache_time: float = CACHE_SECONDS
    workers: int = 1
    timeout: float | None = None

    def __post_init__(self) -> None:
        for name, low, high in (("cache_time", 0, 86_400), ("workers", 1, 1000)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"proof_{name} is {getattr(self, name):g}; give a number from {low} to {high}.")
        least = self.forgotten_after if self.kind is ProofKind.CERTAIN else 0
        if self.timeout is not None and not least < self.timeout <= 2 * 86_400:
            raise ValueError(f"proof_timeout is {self.timeout:g}; give a number of seconds above {least:g}, or leave it out.")

    @property
    def forgotten_after(self) -> float:
        """The seconds after a deletion when every worker has forgotten the key."""
        return self.cache_time + MARGIN_SECONDS

    def refusals(self, number: int = 1) -> int:
        """Return how often in a row a value has to be refused in the round `number` of asking.

        With several workers this many evenly spread calls miss a worker that still accepts the value in 1 of 100 proofs, and those
        of all later rounds together in 1 of 100 more: the more often one asks, the more often one is lucky. In fact the operating
        system spreads connections unevenly, so a quick proof stays a quick proof. A value that was accepted in the first round
        shows that there are several workers.
        """
        if self.kind is ProofKind.NONE:
            return 0
        workers = max(self.workers, 2) if number > 1 else self.workers
        if workers == 1 or self.kind is ProofKind.CERTAIN:
            return FEWEST_REFUSALS
        missed = _MISSED / (number * (number - 1)) if number > 1 else _MISSED
        return math.ceil(math.log(missed) / math.log(1 - 1 / workers))

    def time_for(self, values: int) -> float:
        """Return the seconds that proving `values` values may take.

        If not set, this is the cache time, and a minute for every thousand calls begun, at most half an hour.
        """
        return self.timeout or self.forgotten_after + min(1800, 60 * math.ceil(values * self.refusals() / 1000))


class DeletedValue(NamedTuple):
    """A value that was deleted past LiteLLM's API, as the caller names it. `key_id` is its sha256, or '' if the caller does not know it."""

    alias: str
    generation: int
    key_id: str = ""


@dataclass
class Revocation:
    """What is known about the values of deleted keys. Lists hold aliases.

    `proven`: the gateway refused the value, at least `refusals` times in a row. `listed_only`: nobody knows the value, or no proof was asked for, so
    only the gateway's list of keys shows that it is gone. `still_accepted`: the gateway accepted the value to the end. `unproven`: it could not
    be asked, because of `cause`.
    """

    proof: ProofKind
    proven: list[str] = field(default_factory=list)
    listed_only: list[str] = field(default_factory=list)
    still_accepted: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    refusals: int = 0
    seconds: float = 0.0
    cause: errors.GatewayError | None = None

    def to_result(self) -> dict[str, Any]:
        """Return what modules return as `revocation`, with each alias in one list: the worst of its values counts. Nothing in it is secret."""
        lists: dict[str, list[str]] = {}
        seen = set[str]()
        for name in ("still_accepted", "unproven", "listed_only", "proven"):
            lists[name] = sorted(set(getattr(self, name)) - seen)
            seen |= set(lists[name])
        parts = [
            (lists["proven"], f"proven in {self.seconds:.1f} s ({self.proof})"),
            (lists["still_accepted"], f"still accepted after {self.seconds:.1f} s"),
            (lists["unproven"], "not proven, because the gateway could not be asked"),
            (lists["listed_only"], "only by the gateway's list"),
        ]
        summary = ", ".join(f"{len(aliases)} {words}" for aliases, words in parts if aliases)
        return {"proof": self.proof.value, **lists, "refusals": self.refusals, "seconds": round(self.seconds, 2), "summary": summary}

    def warning(self) -> str | None:
        """Return a warning about values that a proof was asked for and nobody knows; None if there are none."""
        unknown = self.to_result()["listed_only"]
        if not unknown or self.proof is ProofKind.NONE:
            return None
        return (
            f"{_some(unknown)} cannot be derived, so only the gateway's list shows that this is revoked;"
            " if the collection made the keys, give the secret with which it did."
        )

    def failure(self) -> tuple[str, str] | None:
        """Return the code and the sentence of the error that this is, or None if everything asked for is proven."""
        if self.still_accepted:
            return "still_accepted", (
                f"keys were deleted, but the gateway still accepts {_some(self.still_accepted)} after {self.seconds:.0f} s;"
                " restart its workers, or give the user_api_key_cache_ttl of its general_settings in proof_cache_time if that is longer."
            )
        if self.unproven:
            return "unproven", f"keys were deleted, but the gateway could not be asked whether it refuses {_some(self.unproven)}: {self.cause}"
        return None


def _some(aliases: Sequence[str]) -> str:
    """Return `the value of a`, or `3 values, that of a among them`."""
    return f"the value of {aliases[0]}" if len(aliases) == 1 else f"{len(aliases)} values, that of {min(aliases)} among them"


def prove(client: Client, values: Sequence[tuple[str, str]], proof: Proof, listed_only: Sequence[str] = ()) -> Revocation:
    """Call the gateway with every value of `values` (alias, value), deleted just now, and return what that proves.

    `listed_only` are the aliases of deleted keys whose values nobody knows.
    """
    found = Revocation(proof.kind, listed_only=list(listed_only), refusals=proof.refusals() if values else 0)
    if proof.kind is ProofKind.NONE:
        found.listed_only += [alias for alias, _value in values]
    elif values:
        started = client.clock()
        _ask(client, values, proof, started, found)
        found.seconds = client.clock() - started
    return found


def _ask(client: Client, values: Sequence[tuple[str, str]], proof: Proof, started: float, found: Revocation) -> None:
    """Ask until every value is refused or the time is over, and note in `found` what was seen."""
    until = started + proof.time_for(len(values))

    number = 0

    def is_accepted(named: tuple[str, str]) -> bool:
        return any(client.accepts(named[1], until=until) for _call in range(proof.refusals(number)))

    if proof.kind is ProofKind.CERTAIN:
        client.sleep(proof.forgotten_after)
    left = list(values)
    while left:
        number += 1
        accepted = []
        for named, answer in zip(left, client.each(is_accepted, left, hopeless=_HOPELESS), strict=True):
            if isinstance(answer, errors.GatewayError):
                found.unproven.append(named[0])
                found.cause = found.cause or answer
            elif answer:
                accepted.append(named)
            else:
                found.proven.append(named[0])
        left = accepted
        if isinstance(found.cause, _HOPELESS):
            found.unproven += [alias for alias, _value in left]
            return
        # In a certain proof every worker should have forgotten by now; if one has not, nobody knows how long it will remember.
        if proof.kind is ProofKind.CERTAIN or client.clock() - started >= proof.forgotten_after:
            break
        if left:
            client.sleep(_ROUND_SECONDS)
    found.still_accepted += [alias for alias, _value in left]
