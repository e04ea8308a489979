# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""From one step of a pass over the queue of requests to the next. Pure: data in, data out.

The role `key_requests` reads the queue, decides, records, mints, delivers and records again, each step by a module
or an action. What stands between the steps is here: which keys the approved requests mean, and what to record of an
outcome. A request is what `key_request_info` returns, a change is what `key_requests` takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..module_utils.common import durations, email_address

Data = Mapping[str, Any]
Change = dict[str, Any]

# What a package may say beside models, duration and budget, in the words of `virtual_keys`.
_PACKAGE_LIMITS = (
    "soft_budget",
    "budget_duration",
    "rpm_limit",
    "tpm_limit",
    "max_parallel_requests",
    "allowed_routes",
    "tags",
    "team_id",
)
NOTICES = "expiry_notices"
DELIVERED = "delivered"
_REVIEW_RULES = ("human_review", "humanintheloop")


def alias_of(request: Data) -> str:
    """The alias of the key that a request stands for.

    It is the request's own, and the time of its submission is in it: nobody's key is ever taken over by a request,
    and a person who asks again after a key has ended gets another value. With a lab's GUID it begins like the lab's
    keys do, so that it goes with the lab.
    """
    minted = (request.get("progress") or {}).get("key_alias")
    if minted:
        return str(minted)
    submissions = [step["at"] for step in request.get("history") or [] if step.get("to") == "pending"]
    submitted = re.sub(r"\D", "", submissions[-1] if submissions else str(request["created_at"]))
    lab = f"virtkey-{request['guid']}-" if request.get("guid") else ""
    return f"{lab}request-{request['request_id']}-{submitted}"


def keys(requests: Iterable[Data], packages: Mapping[str, Data], lifetime: str) -> list[dict[str, Any]]:
    """The keys of approved requests, for `virtual_keys`.

    A package gives the limits; what was asked for counts where it is less, and what was granted where it was decided.
    `lifetime` is that of a key for which neither says one. Raises ValueError for a package that is not in `packages`.
    """
    return [_key(request, packages, lifetime) for request in requests]


def _key(request: Data, packages: Mapping[str, Data], lifetime: str) -> dict[str, Any]:
    granted = request.get("granted") or {}
    name = granted.get("package") or request.get("package")
    if name and name not in packages:
        raise ValueError(
            f"request {request['request_id']} is for the package {name}, which there is not any more; add it to the packages, or deny the request."
        )
    package = packages[name] if name else {}
    asked = {field: request.get(field) for field in ("models", "duration", "max_budget")}
    wanted = {field: granted.get(field) if granted.get(field) is not None else asked[field] for field in asked}
    key: dict[str, Any] = {field: package[field] for field in _PACKAGE_LIMITS if package.get(field) is not None}
    key.update({field: granted[field] for field in _PACKAGE_LIMITS if granted.get(field) is not None})
    budget = _least(package.get("max_budget"), wanted["max_budget"])
    return {
        **key,
        "alias": alias_of(request),
        "guid": request.get("guid"),
        "user": None,
        "user_id": request["email"],
        "package": name or None,
        "models": _allowed(package.get("models"), wanted["models"]),
        "duration": _shorter(package.get("duration"), wanted["duration"]) or lifetime,
        "max_budget": -1 if budget is None else budget,
        "metadata": {"owner": request["email"], "request_id": request["request_id"], "guid": request.get("guid") or None},
    }


def decidable(requests: Sequence[Data], served: Data, living: Data) -> list[Data]:
    """The requests that the chain can be asked about now; see `waiting`."""
    waits = {change["request_id"] for change in waiting(requests, served, living)}
    return [request for request in requests if request["request_id"] not in waits]


def waiting(requests: Sequence[Data], served: Data, living: Data) -> list[Change]:
    """What to record of requests about which the chain cannot be asked, as the gateway did not tell what it takes to decide.

    `served` is what `gateway_info` returned, for requests that name models; `living` is what `virtual_key_info` returned,
    for all when keys are counted. Either may have been skipped. A gateway without any model is one that has not read its
    models yet, and no reason to deny what it will serve.
    """
    changes = []
    for request in requests:
        reason = _missing(living, "virtual_keys", needed=False)
        if reason is None and request.get("models"):
            reason = _missing(served, "models", needed=True)
        if reason is not None:
            changes.append({"request_id": request["request_id"], "action": "failed", "step": "decide", "reason": _brief(reason)})
    return changes


def _missing(result: Data, what: str, *, needed: bool) -> str | None:
    """Why a result does not tell `what`; None when it does, or was not asked for. `needed`: nothing at all is no answer."""
    if result.get("skipped") or (what in result and (result[what] or not needed)):
        return None
    return str(result.get("msg") or f"the gateway serves no {what} at present")


def decisions(results: Sequence[Data], requests: Sequence[Data]) -> list[Change]:
    """What to record of the chain's answers, which stand in the order of the requests. A parked request stays as it is."""
    changes = []
    for request, answer in zip(requests, results, strict=True):
        change: Change = {"request_id": request["request_id"], "reason": answer["reason"], "trace": list(answer["trace"])}
        if answer["decision"] == "APPROVE":
            changes.append({**change, "action": "approve", "granted": _granted(request, answer["request"])})
        elif answer["decision"] == "DENY":
            changes.append({**change, "action": "deny"})
        elif answer["decision"] == "REVIEW":
            changes.append({**change, "action": "review"})
    return changes


def _granted(request: Data, decided: Data) -> dict[str, Any]:
    """What the chain has changed about a request."""
    return {field: decided[field] for field in ("models", "duration", "max_budget") if decided.get(field) is not None and decided[field] != request.get(field)}


def minted(requests: Sequence[Data], result: Data) -> list[Change]:
    """What to record of minting: `result` is what `virtual_keys` returned, or its failure as a whole."""
    made = {key["alias"]: key for key in result.get("virtual_keys") or [] if key.get("action") != "deleted"}
    left = {entry["alias"]: entry["msg"] for entry in result.get("left_out") or []}
    changes = []
    for request in requests:
        alias = alias_of(request)
        if alias in made and alias not in left:
            if not (request.get("progress") or {}).get("minted_at"):
                ends = made[alias].get("expires")
                changes.append({"request_id": request["request_id"], "action": "minted", "key_alias": alias, "expires": ends})
        else:
            reason = left.get(alias) or result.get("msg") or "the gateway did not make the key"
            changes.append({"request_id": request["request_id"], "action": "failed", "step": "mint", "reason": _brief(reason)})
    return changes


def usage(keys: Iterable[Data]) -> list[dict[str, Any]]:
    """Living keys as the rule `quota` counts them; a value that is only in its grace period is nobody's second key."""
    return [
        {
            "owner": (key.get("metadata") or {}).get("owner") or key.get("user_id"),
            "package": key.get("package") or None,
            "alias": key["alias"],
        }
        for key in keys
        if not key.get("retired_from")
    ]


def orphans(requests: Sequence[Data], refused: Sequence[Data]) -> list[dict[str, Any]]:
    """The keys that were made for requests which somebody took back in the meantime, for `virtual_keys` to delete."""
    gone = {change["request_id"] for change in refused if change["action"] == "minted"}
    return [{"alias": alias_of(request)} for request in requests if request["request_id"] in gone]


def deliverable(requests: Sequence[Data], result: Data, refused: Sequence[Data], method: str) -> list[dict[str, Any]]:
    """The keys that are to go out by one way of delivery: made, still wanted, and not delivered that way yet."""
    made = {key["alias"]: key for key in result.get("virtual_keys") or [] if key.get("value")}
    gone = {orphan["alias"] for orphan in orphans(requests, refused)}
    return [
        {**made[alias], "email": request["email"], "request_id": request["request_id"]}
        for request in requests
        if (alias := alias_of(request)) in made and alias not in gone and method not in ((request.get("progress") or {}).get("delivered") or {})
    ]


def delivered(requests: Sequence[Data], deliveries: Sequence[Data], methods: Sequence[str]) -> list[Change]:
    """What to record of `deliveries`, as `key_delivery` tells them. A request is finished when all methods are done."""
    by_alias: dict[str, list[Data]] = {}
    for delivery in deliveries:
        by_alias.setdefault(delivery["alias"], []).append(delivery)
    changes: list[Change] = []
    for request in requests:
        request_id, done = request["request_id"], set((request.get("progress") or {}).get("delivered") or {})
        failures = []
        for delivery in by_alias.get(alias_of(request), []):
            if delivery["status"] == DELIVERED:
                done.add(delivery["method"])
                changes.append({"request_id": request_id, "action": "delivered", "via": delivery["method"]})
            else:
                failures.append(f"{delivery['method']}: {delivery.get('reason') or 'failed'}")
        if done >= set(methods):
            changes.append({"request_id": request_id, "action": "finished"})
        elif failures:
            changes.append({"request_id": request_id, "action": "failed", "step": "deliver", "reason": _brief("; ".join(failures))})
    return changes


def denial_mails(requests: Sequence[Data]) -> list[dict[str, Any]]:
    """The mails that say no, for `key_mail`."""
    return [
        {
            "kind": "denial",
            "to": request["email"],
            "id": _once(request),
            "request_id": request["request_id"],
            "models": request.get("models") or [],
            "package": request.get("package") or None,
            "reason": request.get("reason") or None,
        }
        for request in requests
    ]


def review_mails(requests: Sequence[Data], rules: Sequence[Data], reviewers: Sequence[str]) -> list[dict[str, Any]]:
    """The mails that ask reviewers to decide, for `key_mail`: one for each reviewer of each request."""
    return [
        {
            "kind": "review",
            "to": reviewer,
            "id": _once(request),
            "request_id": request["request_id"],
            "email": request["email"],
            "models": request.get("models") or [],
            "package": request.get("package") or None,
            "purpose": request.get("purpose") or None,
            "reason": request.get("reason") or None,
            "commands": [
                f"ansible-playbook rhpds.litellm_virtual_keys.approve -e request_id={request['request_id']}",
                f"ansible-playbook rhpds.litellm_virtual_keys.deny -e request_id={request['request_id']} -e \"reason='...'\"",
            ],
        }
        for request in requests
        for reviewer in reviewers_of(request, rules) or reviewers
    ]


def reviewers_of(request: Data, rules: Sequence[Data]) -> list[str]:
    """Whom the rule that sent the request to review names."""
    asked = [step for step in request.get("trace") or [] if step.get("decision") == "REVIEW"]
    index = asked[-1].get("index") if asked else None
    if not isinstance(index, int) or not 0 <= index < len(rules):
        return []
    rule = rules[index]
    named = list(rule.get("reviewers") or [])
    own = (rule.get("config") or {}).get("email") if str(rule.get("name", "")).rsplit(".", 1)[-1] in _REVIEW_RULES else None
    return list(dict.fromkeys([*named, *([own] if isinstance(own, str) else own or [])]))


def denied(requests: Sequence[Data], deliveries: Sequence[Data] | None) -> list[Change]:
    """What to record of the mails that said no; None where nobody is mailed."""
    if deliveries is None:
        return [{"request_id": request["request_id"], "action": "finished"} for request in requests]
    return _of_mails(requests, deliveries, [{"action": "delivered", "via": "mail"}, {"action": "finished"}])


def reviewed(requests: Sequence[Data], deliveries: Sequence[Data]) -> list[Change]:
    """What to record of the mails to reviewers: a request is seen to when one of its reviewers has the mail."""
    return _of_mails(requests, deliveries, [{"action": "notified", "whom": "review"}])


def _of_mails(requests: Sequence[Data], deliveries: Sequence[Data], success: Sequence[Change]) -> list[Change]:
    changes: list[Change] = []
    for request in requests:
        request_id = request["request_id"]
        own = [delivery for delivery in deliveries if delivery["request_id"] == request_id]
        if any(delivery["status"] == DELIVERED for delivery in own):
            changes += [{"request_id": request_id, **change} for change in success]
        elif own:
            reason = _brief(str(own[0].get("reason") or "the mail was not sent"))
            changes.append({"request_id": request_id, "action": "failed", "step": "mail", "reason": reason})
    return changes


def ended(requests: Sequence[Data], keys: Sequence[Data]) -> list[Change]:
    """Which requests' keys live no more: `keys` are all that live on the gateway."""
    living = {key["alias"] for key in keys}
    return [
        {"request_id": request["request_id"], "action": "ended"}
        for request in requests
        if request["progress"]["finished_at"] and not request["progress"]["ended_at"] and alias_of(request) not in living
    ]


def notices(keys: Sequence[Data], before: Sequence[str], now: str) -> list[dict[str, Any]]:
    """The mails that warn owners, for `key_mail`: one a key, when a time of `before` has come that nobody was warned at.

    Which warnings went out is noted on the key itself, with the end they were about: a key that is prolonged is warned
    about anew.
    """
    mails = []
    for key in keys:
        owner, due = _owner(key), _due(key, before, now)
        if owner and due and due[0] not in _noticed(key):
            mails.append(
                {
                    "kind": "expiry",
                    "to": owner,
                    "id": f"{key['alias']}-{due[0]}",
                    "alias": key["alias"],
                    "models": key["models"],
                    "package": key.get("package") or None,
                    "expires": key["expires"],
                }
            )
    return mails


def noticed(keys: Sequence[Data], deliveries: Sequence[Data], before: Sequence[str], now: str) -> list[dict[str, Any]]:
    """The keys on which to note that their owners were warned, for `virtual_keys`."""
    sent = {delivery["alias"] for delivery in deliveries if delivery["status"] == DELIVERED}
    return [{"alias": key["alias"], "metadata": {NOTICES: sorted({*_noticed(key), *_due(key, before, now)})}} for key in keys if key["alias"] in sent]


def _due(key: Data, before: Sequence[str], now: str) -> list[str]:
    """The notices whose time has come, the latest first, each with the end that it is about."""
    if not key.get("expires") or key.get("retired_from"):
        return []
    left = (durations.parse_time(key["expires"]) - durations.parse_time(now)).total_seconds()
    spans = sorted(before, key=lambda text: durations.seconds(text, "key_requests_expiry_notices"))
    return [f"{span} before {key['expires']}" for span in spans if left <= durations.seconds(span)]


def _noticed(key: Data) -> list[str]:
    return list((key.get("metadata") or {}).get(NOTICES) or [])


def _owner(key: Data) -> str | None:
    """The first of owner and user that is an e-mail address."""
    for name in ((key.get("metadata") or {}).get("owner"), key.get("user_id")):
        try:
            return str(email_address.parse_address(name))
        except ValueError:
            continue
    return None


def _once(request: Data) -> str:
    """What makes a mail about this state of a request the same mail when it is sent again."""
    history = request.get("history") or []
    return f"{request['request_id']}-{re.sub(r'[^0-9]', '', history[-1]['at'] if history else str(request['created_at']))}"


def _allowed(offered: Sequence[str] | None, asked: Sequence[str] | None) -> list[str]:
    """The models asked for, as far as the package offers them; all that it offers when none of them are left."""
    if not offered:
        return list(asked or [])
    return [model for model in asked or [] if model in offered] or list(offered)


def _shorter(one: str | None, other: str | None) -> str | None:
    given = [duration for duration in (one, other) if duration]
    return min(given, key=durations.seconds, default=None)


def _least(one: float | None, other: float | None) -> float | None:
    return min((budget for budget in (one, other) if budget is not None), default=None)


def _brief(reason: str) -> str:
    return reason if len(reason) <= 900 else reason[:900] + "…"
