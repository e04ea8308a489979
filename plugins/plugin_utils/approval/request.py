# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A request for a key as the chain sees it, checked because anybody may have written it."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...module_utils.common import durations, email_address
from ...module_utils.common.email_address import Address
from ...module_utils.common.printable import printable, quoted
from ...module_utils.key_requests.record import LONGEST_MODEL, MOST_MODELS, PACKAGE
from ...module_utils.litellm.models import unserved

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class InvalidRequest(ValueError):
    """The request is not valid. The message may be shown to the requester."""


@dataclass(frozen=True)
class Request:
    """A request to decide. `models` are those that the key may call, `max_budget` is in USD, None means no limit."""

    address: Address
    models: tuple[str, ...]
    request_id: str = ""
    package: str | None = None
    duration: str | None = None
    max_budget: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """All other fields of the request, unchanged."""

    @property
    def email(self) -> str:
        return str(self.address)

    @property
    def renews(self) -> bool:
        """Whether an existing key is to live longer, so that no key is made."""
        return bool(self.extra.get("renews"))

    @property
    def domain(self) -> str:
        return self.address.domain

    def as_dict(self) -> dict[str, Any]:
        """Return the request as conditions see it and as playbooks receive it."""
        return {
            **self.extra,
            "request_id": self.request_id,
            "email": self.email,
            "domain": self.domain,
            "model": self.models[0],
            "models": list(self.models),
            "package": self.package,
            "duration": self.duration,
            "max_budget": self.max_budget,
        }


_OWN_FIELDS = frozenset(("request_id", "email", "domain", "model", "models", "package", "duration", "max_budget"))


def parse_request(raw: object, packages: Mapping[str, Mapping[str, Any]] | None = None, served: Sequence[str] | None = None) -> Request:
    """Return the request in `raw`. Its package supplies the models, duration and budget that `raw` does not name.

    `served` are the gateway's models; None means not to compare. Raises InvalidRequest, one sentence.
    """
    if not isinstance(raw, Mapping):
        raise InvalidRequest("the request is not a mapping with an email and a model or package.")
    try:
        address = email_address.parse_address(raw.get("email"))
        package = _package(raw.get("package"), packages)
        offer = (packages or {}).get(package or "", {})
        models = _models(raw, offer, served)
        duration = _duration(_given(raw, offer, "duration"))
        max_budget = _budget(_given(raw, offer, "max_budget"))
    except InvalidRequest:
        raise
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    return Request(
        address=address,
        models=models,
        request_id=_request_id(raw.get("request_id")),
        package=package,
        duration=duration,
        max_budget=max_budget,
        extra={key: value for key, value in raw.items() if isinstance(key, str) and key not in _OWN_FIELDS},
    )


def request_or_refusal(raw: object, packages: Mapping[str, Mapping[str, Any]] | None = None, served: Sequence[str] | None = None) -> Request | InvalidRequest:
    """Return what `parse_request` returns or raises, for a list in which one request must not stop the others."""
    try:
        return parse_request(raw, packages, served)
    except InvalidRequest as error:
        return error


def growth(old: Request, new: Request) -> str | None:
    """Return the name of a term that is larger in `new` than in `old`, or None."""
    if (new.address, new.request_id, new.package) != (old.address, old.request_id, old.package):
        return "the person, the id or the package"
    if not new.models or not set(new.models) <= set(old.models):
        return "the models"
    if old.duration is not None and (new.duration is None or durations.seconds(new.duration) > durations.seconds(old.duration)):
        return "the duration"
    if old.max_budget is not None and (new.max_budget is None or new.max_budget > old.max_budget):
        return "the budget"
    return None


def _given(raw: Mapping[str, Any], offer: Mapping[str, Any], name: str) -> Any:
    value = raw.get(name)
    return offer.get(name) if value is None or value == "" else value


def _request_id(value: object) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not _REQUEST_ID.fullmatch(value):
        raise InvalidRequest(f"request_id is {quoted(value)}; it may hold up to 128 letters, digits, '.', '_' and '-'.")
    return str(value)


def _package(value: object, packages: Mapping[str, Any] | None) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not PACKAGE.fullmatch(value):
        raise InvalidRequest(f"package is {quoted(value)}; it may hold up to 128 letters, digits, '.', '_' and '-'.")
    if packages is not None and value not in packages:
        raise InvalidRequest(f"package is {quoted(value)}, which is not offered; choose one of {', '.join(sorted(packages)) or 'none'}.")
    return str(value)


def _models(raw: Mapping[str, Any], offer: Mapping[str, Any], served: Sequence[str] | None) -> tuple[str, ...]:
    named = raw.get("models") or raw.get("model")
    wanted = named or offer.get("models")
    listed: Sequence[object] = [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, (list, tuple)) else []
    if not listed:
        raise InvalidRequest("the request names neither a model nor a package with models; name one.")
    if len(listed) > MOST_MODELS:
        raise InvalidRequest(f"the request names {len(listed)} models, and at most {MOST_MODELS} are allowed.")
    models = []
    for model in listed:
        if not isinstance(model, str) or not model or len(model) > LONGEST_MODEL or model.strip() != model or printable(model, LONGEST_MODEL) != model:
            raise InvalidRequest(f"model is {quoted(model)}, which is not the name of a model; name one that the gateway serves.")
        models.append(str(model))
    if named and served is not None and not raw.get("renews"):  # whoever asks for a package or a renewal does not choose its models
        _check_served(models, served)
    return tuple(dict.fromkeys(models))


def _check_served(models: Sequence[str], served: Sequence[str]) -> None:
    unknown = unserved(models, served)
    if not unknown:
        return
    close = dict.fromkeys(name for model in unknown for name in difflib.get_close_matches(model, served, n=3))
    hint = f"its closest names are {', '.join(list(close)[:5])}" if close else "ask which models it has"
    raise InvalidRequest(f"the gateway serves no model named {printable(', '.join(unknown), 200)}; {hint}, and ask again.")


def _duration(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidRequest(f"duration is {quoted(value)}, which is not a duration; give one such as 30d.")
    if len(value) > 20 or not value.isascii():
        raise InvalidRequest("duration is not a duration; give one such as 30d.")
    durations.seconds(value)
    return str(value)


def _budget(value: object) -> float | None:
    if value is None:
        return None
    try:
        budget = math.nan if isinstance(value, bool) or not isinstance(value, (int, float, str)) else float(value)
    except (ValueError, OverflowError):
        budget = math.nan
    if not math.isfinite(budget) or budget < 0:
        raise InvalidRequest(f"max_budget is {quoted(value)}, which is not an amount in USD; give a number from 0 up.")
    return budget
