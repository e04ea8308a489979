# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The filters that connect the steps of a pass over the queue of requests. Pure: data in, data out.

The role `key_requests` reads the queue, decides, records, mints, delivers and records again, each step by a module or
an action. These functions make the arguments of one step from the results of the steps before it. A request is what
`key_request_info` returns, a change is what `key_requests` takes, a delivery is an entry of `key_delivery_results`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..module_utils.common import durations

Data = Mapping[str, Any]
Change = dict[str, Any]

# The limits that a package may set besides models, duration and budget; the names are those of `virtual_keys`.
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
DELIVERED = "delivered"
_REVIEW_RULES = ("human_review", "humanintheloop")


# -------------------------------------------------------------------------------------------------------------- aliases
def aliased_requests(requests: Iterable[Data]) -> list[dict[str, Any]]:
    """Return the requests with the alias of their key as `key_alias`, which the functions below read."""
    return [{**request, "key_alias": _alias_of(request)} for request in requests]


def _alias_of(request: Data) -> str:
    """Return the alias of the key that a request leads to.

    It contains the request's id and the time of its submission. So a request never takes over an existing key, and a
    person who asks again after a key has ended gets another value. With a lab's GUID it begins like the aliases of the
    lab's keys, so that the lab's operations find it.
    """
    minted = (request.get("progress") or {}).get("key_alias")
    if minted:
        return str(minted)
    submissions = [entry["at"] for entry in request.get("history") or [] if entry.get("to") == "pending"]
    submitted = re.sub(r"\D", "", submissions[-1] if submissions else str(request["created_at"]))
    lab = f"virtkey-{request['guid']}-" if request.get("guid") else ""
    return f"{lab}request-{request['request_id']}-{submitted}"


# ------------------------------------------------------------------------------------------------------------- deciding
def request_triage(requests: Sequence[Data], served: Data, living: Data) -> dict[str, list[Any]]:
    """Split pending requests into those that the chain can decide now and those that wait for the gateway.

    `served` is the result of `gateway_info`, which requests that name models need. `living` is the result of
    `virtual_key_info`, which all requests need where keys are counted. Either task may have been skipped. A gateway
    that serves no models at all has not read them yet; nobody is denied a model because of that.

    Return the requests as `decidable` and the changes to record of the others as `waiting`.
    """
    decidable: list[Data] = []
    waiting: list[Change] = []
    for request in requests:
        reason = _reason_to_wait(living, "virtual_keys", may_be_empty=True)
        if reason is None and request.get("models"):
            reason = _reason_to_wait(served, "models", may_be_empty=False)
        if reason is None:
            decidable.append(request)
        else:
            waiting.append(_failed(request, "decide", reason))
    return {"decidable": decidable, "waiting": waiting}


def _reason_to_wait(result: Data, name: str, *, may_be_empty: bool) -> str | None:
    """Return why `result` lacks `name`, or None if it has it or its task was skipped."""
    if result.get("skipped") or (name in result and (result[name] or may_be_empty)):
        return None
    return str(result.get("msg") or f"the gateway serves no {name} at present")


def quota_usage(keys: Iterable[Data]) -> list[dict[str, Any]]:
    """Return living keys as the rule `quota` counts them. A value in its grace period is not counted again."""
    return [
        {
            "owner": (key.get("metadata") or {}).get("owner") or key.get("user_id"),
            "package": key.get("package") or None,
            "alias": key["alias"],
        }
        for key in keys
        if not key.get("retired_from")
    ]


# -------------------------------------------------------------------------------------------------------------- minting
def request_keys(requests: Iterable[Data], packages: Mapping[str, Data], lifetime: str) -> list[dict[str, Any]]:
    """Return the keys of approved requests, for `virtual_keys`.

    A package sets the limits. The terms that were granted, else those that were asked for, can only lower its models,
    duration and budget. `lifetime` is for keys whose package and request name no duration. Raises ValueError if
    `packages` lacks a request's package.
    """
    return [_key(request, packages, lifetime) for request in requests]


def _key(request: Data, packages: Mapping[str, Data], lifetime: str) -> dict[str, Any]:
    granted = request.get("granted") or {}
    name = granted.get("package") or request.get("package")
    if name and name not in packages:
        raise ValueError(f"request {request['request_id']} asks for the package {name}, which no longer exists; add it to the packages, or deny the request.")
    package = packages[name] if name else {}
    asked = {field: request.get(field) for field in ("models", "duration", "max_budget")}
    wanted = {field: granted.get(field) if granted.get(field) is not None else asked[field] for field in asked}
    key: dict[str, Any] = {field: package[field] for field in _PACKAGE_LIMITS if package.get(field) is not None}
    key.update({field: granted[field] for field in _PACKAGE_LIMITS if granted.get(field) is not None})
    budget = _least(package.get("max_budget"), wanted["max_budget"])
    return {
        **key,
        "alias": request["key_alias"],
        "create": not (request.get("progress") or {}).get("minted_at"),  # a key that was revoked since stays revoked
        "guid": request.get("guid"),
        "user": None,
        "user_id": request["email"],
        "package": name or None,
        "models": _allowed(package.get("models"), wanted["models"]),
        "duration": _shorter(package.get("duration"), wanted["duration"]) or lifetime,
        "max_budget": -1 if budget is None else budget,
        "metadata": {"owner": request["email"], "request_id": request["request_id"], "guid": request.get("guid") or None},
    }


def _allowed(offered: Sequence[str] | None, asked: Sequence[str] | None) -> list[str]:
    """Return the models that were asked for and that the package offers; all that it offers if that leaves none."""
    if not offered:
        return list(asked or [])
    return [model for model in asked or [] if model in offered] or list(offered)


def _shorter(one: str | None, other: str | None) -> str | None:
    """Return the shorter of two durations, of which either may be None."""
    given = [duration for duration in (one, other) if duration]
    return min(given, key=durations.seconds, default=None)


def _least(one: float | None, other: float | None) -> float | None:
    """Return the smaller of two budgets, of which either may be None."""
    return min((budget for budget in (one, other) if budget is not None), default=None)


def minted_keys(requests: Sequence[Data], minted: Data, refused: Sequence[Data], methods: Sequence[str]) -> dict[str, Any]:
    """Split minted keys into those to deliver and those to delete.

    `minted` is the result of `virtual_keys`, and `refused` holds the changes that `key_requests` could not record. A
    key whose minting could not be recorded belongs to a request that was taken back in the meantime.

    Return as `deliverable` the keys to deliver by each method, with their values, and as `withdrawn` the keys to delete.
    """
    taken_back = {change["request_id"] for change in refused if change["action"] == "minted"}
    values = {key["alias"]: key for key in minted.get("virtual_keys") or [] if key.get("value")}
    wanted = [request for request in requests if request["request_id"] not in taken_back and request["key_alias"] in values]
    return {
        "deliverable": {
            method: [
                {**values[request["key_alias"]], "email": request["email"], "request_id": request["request_id"]}
                for request in wanted
                if method not in _delivered_methods(request)
            ]
            for method in methods
        },
        "withdrawn": [{"alias": request["key_alias"]} for request in requests if request["request_id"] in taken_back],
    }


def _delivered_methods(request: Data) -> set[str]:
    return set((request.get("progress") or {}).get("delivered") or {})


# ---------------------------------------------------------------------------------------------------------------- mails
def request_mails(requests: Sequence[Data], rules: Sequence[Data] = (), reviewers: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the mails about requests, for `key_mail`: the reason of a denial to its requester, the question to reviewers.

    Each reviewer of a request gets a mail: those of the rule that sent it to review, else `reviewers`.
    """
    mails = []
    for request in requests:
        if request["state"] == "denied":
            mails.append(_denial_mail(request))
        elif request["state"] == "in-review":
            mails += [_review_mail(request, reviewer) for reviewer in _reviewers_of(request, rules) or reviewers]
    return mails


def _denial_mail(request: Data) -> dict[str, Any]:
    return {
        "kind": "denial",
        "to": request["email"],
        "id": _mail_id(request),
        "request_id": request["request_id"],
        "models": request.get("models") or [],
        "package": request.get("package") or None,
        "reason": request.get("reason") or None,
    }


def _review_mail(request: Data, reviewer: str) -> dict[str, Any]:
    return {
        "kind": "review",
        "to": reviewer,
        "id": _mail_id(request),
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


def _reviewers_of(request: Data, rules: Sequence[Data]) -> list[str]:
    """Return the reviewers that the rule names which sent the request to review."""
    reviews = [entry for entry in request.get("trace") or [] if entry.get("decision") == "REVIEW"]
    index = reviews[-1].get("index") if reviews else None
    if not isinstance(index, int) or not 0 <= index < len(rules):
        return []
    rule = rules[index]
    named = list(rule.get("reviewers") or [])
    configured = (rule.get("config") or {}).get("email") if str(rule.get("name", "")).rsplit(".", 1)[-1] in _REVIEW_RULES else None
    return list(dict.fromkeys([*named, *([configured] if isinstance(configured, str) else configured or [])]))


def _mail_id(request: Data) -> str:
    """Return an id that is the same whenever a mail about this state of the request is sent again."""
    history = request.get("history") or []
    return f"{request['request_id']}-{re.sub(r'[^0-9]', '', history[-1]['at'] if history else str(request['created_at']))}"


# -------------------------------------------------------------------------------------------------------------- changes
def request_changes(
    requests: Sequence[Data],
    *,
    answers: Sequence[Data] | None = None,
    minted: Data | None = None,
    deliveries: Sequence[Data] | None = None,
    methods: Sequence[str] = (),
    living_keys: Sequence[Data] | None = None,
) -> list[Change]:
    """Return the changes to record, for `key_requests`, after one step of a pass; the argument says which step it was.

    - `answers` of the approval chain, in the order of the requests
    - `minted`, the result of `virtual_keys`
    - `deliveries` of keys or of mails about requests, by the wanted `methods`
    - `living_keys`, all keys that live on the gateway, of which a request's may be missing

    Raises ValueError unless exactly one of them is given.
    """
    given = [name for name, value in (("answers", answers), ("minted", minted), ("deliveries", deliveries), ("living_keys", living_keys)) if value is not None]
    if len(given) != 1:
        raise ValueError(f"{' and '.join(given) or 'nothing'} is given; give one of answers, minted, deliveries and living_keys.")
    if answers is not None:
        return _after_approval(requests, answers)
    if minted is not None:
        return _after_minting(requests, minted)
    if deliveries is not None:
        return _after_delivery(requests, deliveries, methods)
    return _after_expiry(requests, living_keys or [])


def _after_approval(requests: Sequence[Data], answers: Sequence[Data]) -> list[Change]:
    """A request that the chain parked (PENDING) stays as it is."""
    changes = []
    for request, answer in zip(requests, answers, strict=True):
        change: Change = {"request_id": request["request_id"], "reason": answer["reason"], "trace": list(answer["trace"])}
        if answer["decision"] == "APPROVE":
            changes.append({**change, "action": "approve", "granted": _granted(request, answer["request"])})
        elif answer["decision"] == "DENY":
            changes.append({**change, "action": "deny"})
        elif answer["decision"] == "REVIEW":
            changes.append({**change, "action": "review"})
    return changes


def _granted(request: Data, decided: Data) -> dict[str, Any]:
    """Return the terms that the chain changed."""
    return {name: decided[name] for name in ("models", "duration", "max_budget") if decided.get(name) is not None and decided[name] != request.get(name)}


def _after_minting(requests: Sequence[Data], minted: Data) -> list[Change]:
    """`minted` may be the failure of the whole task."""
    made = {key["alias"]: key for key in minted.get("virtual_keys") or [] if key.get("action") != "deleted"}
    left_out = {entry["alias"]: entry["msg"] for entry in minted.get("left_out") or []}
    changes = []
    for request in requests:
        alias = request["key_alias"]
        if alias in (minted.get("absent") or []):
            changes.append({"request_id": request["request_id"], "action": "ended"})
        elif alias not in made or alias in left_out:
            changes.append(_failed(request, "mint", left_out.get(alias) or minted.get("msg") or "the gateway did not make the key"))
        elif not (request.get("progress") or {}).get("minted_at"):
            changes.append({"request_id": request["request_id"], "action": "minted", "key_alias": alias, "expires": made[alias].get("expires")})
    return changes


def _after_delivery(requests: Sequence[Data], deliveries: Sequence[Data], methods: Sequence[str]) -> list[Change]:
    """Deliveries bring the key of an approved request, the reason of a denial, and the question to reviewers."""
    changes: list[Change] = []
    for request in requests:
        own = [delivery for delivery in deliveries if delivery["request_id"] == request["request_id"]]
        if request["state"] == "approved":
            own_keys = [delivery for delivery in own if delivery["alias"] == request["key_alias"]]  # and not a mail about an earlier denial
            changes += _after_key_delivery(request, own_keys, methods)
        elif request["state"] == "in-review":
            changes += _after_mails(request, own, [{"action": "notified", "whom": "review"}])
        elif methods:
            changes += _after_mails(request, own, [{"action": "delivered", "via": "mail"}, {"action": "finished"}])
        else:
            changes.append({"request_id": request["request_id"], "action": "finished"})
    return changes


def _after_key_delivery(request: Data, deliveries: Sequence[Data], methods: Sequence[str]) -> list[Change]:
    """A request is finished when its key was delivered by all methods, now or in an earlier pass."""
    request_id = request["request_id"]
    sent = [delivery["method"] for delivery in deliveries if delivery["status"] == DELIVERED]
    failures = [f"{delivery['method']}: {delivery.get('reason') or 'failed'}" for delivery in deliveries if delivery["status"] != DELIVERED]
    changes: list[Change] = [{"request_id": request_id, "action": "delivered", "via": method} for method in sent]
    if _delivered_methods(request) | set(sent) >= set(methods):
        changes.append({"request_id": request_id, "action": "finished"})
    elif failures:
        changes.append(_failed(request, "deliver", "; ".join(failures)))
    return changes


def _after_mails(request: Data, deliveries: Sequence[Data], success: Sequence[Change]) -> list[Change]:
    """One mail that was sent is enough, as when a request has several reviewers."""
    if any(delivery["status"] == DELIVERED for delivery in deliveries):
        return [{"request_id": request["request_id"], **change} for change in success]
    return [_failed(request, "mail", str(delivery.get("reason") or "the mail was not sent")) for delivery in deliveries[:1]]


def _after_expiry(requests: Sequence[Data], living_keys: Sequence[Data]) -> list[Change]:
    living = {key["alias"] for key in living_keys}
    return [
        {"request_id": request["request_id"], "action": "ended"}
        for request in requests
        if request["progress"]["finished_at"] and not request["progress"]["ended_at"] and request["key_alias"] not in living
    ]


def _failed(request: Data, step: str, reason: str) -> Change:
    """Return the change that records a failed attempt; `reason` is cut to 900 characters."""
    return {"request_id": request["request_id"], "action": "failed", "step": step, "reason": reason if len(reason) <= 900 else reason[:900] + "…"}
