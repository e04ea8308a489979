# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The answers that a rule can give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from .sentences import Sentence

if TYPE_CHECKING:
    from .request import Request


class Decision(StrEnum):
    """APPROVE and DENY end the chain, CONTINUE asks the next rule, REVIEW waits for a person, PENDING for the next pass."""

    APPROVE = "APPROVE"
    DENY = "DENY"
    CONTINUE = "CONTINUE"
    REVIEW = "REVIEW"
    PENDING = "PENDING"

    @property
    def word(self) -> str:
        """The decision as a value of an option: `deny`, `review`, ..."""
        return self.value.lower()

    @classmethod
    def from_word(cls, word: str) -> Decision:
        """Return the decision for a word in upper or lower case. Raises ValueError."""
        return cls(word.strip().upper())


@dataclass(frozen=True)
class Verdict:
    """The answer of one rule to one request."""

    decision: Decision
    detail: str = ""
    """What happened, for the administrator; shown in the trace. Left out: what `said` says."""
    reason: str = ""
    """Why, for the requester: nothing about rules, patterns or services. Empty means the usual reason of the decision."""
    matched: str | None = None
    """The pattern, condition or limit that caused the decision."""
    request: Request | None = None
    """The request as the next rules see it and as it will be minted. None keeps it. It may only be reduced."""
    reviewers: tuple[str, ...] = ()
    """E-mail addresses of the reviewers, if the decision is REVIEW."""
    review: Mapping[str, Any] = field(default_factory=dict)
    """How the review is to be made, see `module_utils.key_requests.review`."""
    said: Sentence | Sequence[Sentence] = ()
    """What happened, in sentences that pages can translate. Only the rules of this collection have them."""

    def __post_init__(self) -> None:
        said = (self.said,) if isinstance(self.said, Sentence) else tuple(self.said)
        object.__setattr__(self, "said", said)
        if said and not self.detail:
            object.__setattr__(self, "detail", "; ".join(map(str, said)))


# The reasons that the requester reads if neither the rule nor the chain gives one.
USUAL_REASONS: dict[Decision, str] = {
    Decision.APPROVE: "Your request meets the rules for automatic approval.",
    Decision.DENY: "Your request does not meet the rules for a key.",
    Decision.REVIEW: "Your request waits for a reviewer.",
    Decision.PENDING: "Your request could not be decided yet and will be looked at again.",
}
NOTHING_APPROVED = "No approval rule approved this request."
NO_RULES = "No approval plugins configured"
