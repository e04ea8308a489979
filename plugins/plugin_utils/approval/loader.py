# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Turn a chain from data into rules, and report every fault in it before anything is decided."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values

from ...module_utils.common import email_address
from ...module_utils.common.printable import printable, quoted
from .decision import Decision
from .rule import ApprovalRule, Context, OptionError

OUR_COLLECTION = "rhpds.litellm_virtual_keys"
ALIASES: dict[str, str] = {"whitelist": "allowlist", "blacklist": "denylist", "humanintheloop": "human_review"}
ENTRY_KEYS = ("name", "config", "on_error", "reason", "reviewers")
# Hiding a shorter text would leave gaps in many sentences, and so reveal it.
SHORTEST_SECRET = 4
ON_ERROR_WORDS = ("continue", "deny", "review", "pending")

_NAME = re.compile(r"(?:([a-z_][a-z0-9_]*)\.([a-z_][a-z0-9_]*)\.)?([a-z][a-z0-9_]*)")


class ChainError(ValueError):
    """The chain cannot be used. The message names the rule by place and name, the cause and the remedy."""


@dataclass(frozen=True)
class Link:
    """A rule and its place in a chain."""

    index: int
    name: str
    """The name that the chain uses."""
    rule: ApprovalRule
    on_error: Decision
    reason: str = ""
    reviewers: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    def outcomes(self) -> frozenset[Decision]:
        """Return every decision that this link can reach, including those for an outage."""
        return self.rule.outcomes() | ({self.on_error} if self.rule.REMOTE else frozenset())

    def conceal(self, text: str) -> str:
        """Return `text` without the rule's secrets."""
        return str(remove_values(text, self.secrets)) if self.secrets else text


def load_chain(entries: object, context: Context | None = None) -> list[Link]:
    """Return the rules of a chain, `[{name, config?, on_error?, reason?, reviewers?}, ...]`, in their order.

    With a context, each rule also checks that it can work there. Raises ChainError for the first fault.
    """
    if entries is None:
        return []
    if not isinstance(entries, (list, tuple)):
        raise ChainError(f"the chain of rules is {type(entries).__name__} and must be a list of rules, each with a name and a config.")
    links = [_link(index, entry) for index, entry in enumerate(entries)]
    if context is not None:
        for link in links:
            try:
                link.rule.check(context)
            except OptionError as error:
                raise ChainError(_option_error(f"rules[{link.index}] ({link.name})", link, error)) from None
    return links


def known_rules() -> list[str]:
    """Return the names of this collection's rules, each with its alias."""
    other = {rule: alias for alias, rule in ALIASES.items()}
    return [f"{name} ({other[name]})" if name in other else name for name in _rules_in(OUR_COLLECTION)]


# ------------------------------------------------------------------------------------------------------------ one rule
def _link(index: int, entry: object) -> Link:
    place = f"rules[{index}]"
    if not isinstance(entry, Mapping):
        raise ChainError(f"{place} is {type(entry).__name__} and must be a mapping such as {{name: allowlist, config: {{list: ['ollama/*']}}}}.")
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise ChainError(f"{place} has no name; name one of {', '.join(known_rules())}, or a rule of your own as namespace.collection.rule.")
    place = f"{place} ({printable(name, 100)})"
    rule_class = _rule_class(place, name)
    unknown = sorted(printable(str(key), 60) for key in entry if key not in ENTRY_KEYS)
    if unknown:
        where = "put options of the rule under config" if unknown[0] in rule_class.OPTIONS else f"known are {', '.join(ENTRY_KEYS)}"
        raise ChainError(f"{place} has the unknown key {unknown[0]!r}; {where}.")
    config = entry.get("config")
    if config is not None and not isinstance(config, Mapping):
        raise ChainError(f"{place} has a config that is {type(config).__name__} and must be a mapping of the rule's options.")
    config = dict(config or {})
    on_error = _on_error(place, entry, config, rule_class)
    secrets = tuple(_secrets(rule_class.OPTIONS, config))
    options = _checked_options(place, rule_class, config, secrets)
    try:
        rule = rule_class(options)
    except OptionError as error:
        raise ChainError(remove_values(f"{place}: option {error.option} {error}.", secrets)) from None
    return Link(index, str(name), rule, on_error, _reason(place, entry), _reviewers(place, entry), secrets)


def _option_error(place: str, link: Link, error: OptionError) -> str:
    return link.conceal(f"{place}: option {error.option} {error}.")


def _on_error(place: str, entry: Mapping[str, Any], config: dict[str, Any], rule_class: type[ApprovalRule]) -> Decision:
    """Return the decision for an outage. `on_error` is documented beside `config`, and accepted in it as people expect it there."""
    words = [word for word in (entry.get("on_error"), config.pop("on_error", None)) if word is not None]
    if not words:
        return rule_class.ON_ERROR
    if any(word not in ON_ERROR_WORDS for word in words) or len(set(words)) > 1:
        raise ChainError(f"{place} has on_error {quoted(' and '.join(map(str, words)))}; give one of {', '.join(ON_ERROR_WORDS)}.")
    return Decision.from_word(words[0])


def _reason(place: str, entry: Mapping[str, Any]) -> str:
    reason = entry.get("reason")
    if reason is not None and not isinstance(reason, str):
        raise ChainError(f"{place} has a reason that is {type(reason).__name__} and must be text for the requester.")
    return reason or ""


def _reviewers(place: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    reviewers = entry.get("reviewers") or []
    if isinstance(reviewers, str):
        reviewers = [reviewers]
    if not isinstance(reviewers, (list, tuple)):
        raise ChainError(f"{place} has reviewers that are {type(reviewers).__name__} and must be a list of e-mail addresses.")
    try:
        return tuple(str(email_address.parse_address(reviewer, "an address in reviewers")) for reviewer in reviewers)
    except ValueError as error:
        raise ChainError(f"{place}: {error}") from None


# --------------------------------------------------------------------------------------------------------------- names
def _rule_class(place: str, name: str) -> type[ApprovalRule]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise ChainError(f"{place} is not the name of a rule; name one of {', '.join(known_rules())}, or one as namespace.collection.rule.")
    collection = f"{match[1]}.{match[2]}" if match[1] else OUR_COLLECTION
    short = ALIASES.get(match[3], match[3]) if collection == OUR_COLLECTION else match[3]
    module_name = f"ansible_collections.{collection}.plugins.sub_plugins.approval.{short}"
    if short not in _rules_in(collection):
        known = ", ".join(known_rules() if collection == OUR_COLLECTION else _rules_in(collection))
        if not known:
            raise ChainError(f"{place}: the collection {collection} is not installed or has no approval rules; install it, or correct the name.")
        raise ChainError(f"{place}: there is no such approval rule in {collection}; known are {known}.")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # importing the author's file may raise anything
        raise ChainError(f"{place} cannot be loaded: {type(error).__name__}: {error}; mend the rule or install what it needs.") from error
    rule_class = getattr(module, "Rule", None)
    if not isinstance(rule_class, type) or not issubclass(rule_class, ApprovalRule):
        raise ChainError(f"{place}: its file has no class Rule that extends ApprovalRule; see the guide approval_rules.")
    return rule_class


def _rules_in(collection: str) -> list[str]:
    try:
        package = importlib.import_module(f"ansible_collections.{collection}.plugins.sub_plugins.approval")
    except ImportError:
        return []
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_"))


# ------------------------------------------------------------------------------------------------------------- options
def _checked_options(place: str, rule_class: type[ApprovalRule], config: dict[str, Any], secrets: Sequence[str]) -> dict[str, Any]:
    spec = rule_class.OPTIONS
    known = {name for option, about in spec.items() for name in (option, *about.get("aliases", ()))}
    unknown = sorted(printable(str(key), 60) for key in config if key not in known)
    if unknown:
        options = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
        raise ChainError(f"{place} has the unknown option {unknown[0]!r}; {options}.")
    wrong = next(_wrong_types(spec, config), None)
    if wrong:
        raise ChainError(f"{place}: option {wrong}.")
    config = {option: [value] if isinstance(value, str) and _kind(spec, option) == "list" else value for option, value in config.items()}
    result = ArgumentSpecValidator(dict(spec)).validate(config)
    if result.error_messages:
        raise ChainError(remove_values(f"{place}: {printable(result.error_messages[0], 600).rstrip('.')}.", secrets))
    return dict(result.validated_parameters)


def _wrong_types(spec: Mapping[str, Mapping[str, Any]], config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Find values that Ansible would silently convert (a mapping to text, yes to "True") or accept (null for a required option)."""
    for option, about in spec.items():
        if option not in config:
            continue
        value, kind = config[option], about.get("type", "str")
        if value is None:
            if about.get("required"):
                yield f"{prefix}{option} is empty; give it a value"
            continue
        elements = about.get("elements") if kind == "list" else None
        if elements and elements != "raw" and isinstance(value, str) and "," in value:
            yield f"{prefix}{option} is text with a comma and must be a list"
        items = enumerate(value) if elements and isinstance(value, (list, tuple)) else [(None, value)]
        for index, item in items:
            name = f"{prefix}{option}" if index is None else f"{prefix}{option}[{index}]"
            wanted = elements if index is not None else kind
            if wanted == "str" and not (isinstance(item, (str, int, float, date, datetime)) and not isinstance(item, bool)):
                yield f"{name} is {'empty' if item is None else type(item).__name__} and must be text (put it in quotes)"
            elif wanted in ("int", "float", "list") and isinstance(item, bool):
                yield f"{name} is a truth value and must be a {'list' if wanted == 'list' else 'number'}"
            elif wanted == "dict" and "options" in about and isinstance(item, Mapping):
                strange = sorted(printable(str(key), 60) for key in item if key not in about["options"])
                if strange:
                    yield f"{name}.{strange[0]} is unknown; known are {', '.join(sorted(about['options']))}"
                yield from _wrong_types(about["options"], item, f"{name}.")


def _kind(spec: Mapping[str, Mapping[str, Any]], option: str) -> str:
    return str(spec[option].get("type", "str")) if option in spec else ""


def _secrets(spec: Mapping[str, Mapping[str, Any]], config: Mapping[str, Any]) -> Iterator[str]:
    for option, about in spec.items():
        if about.get("no_log"):
            yield from _texts(config.get(option))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif len(str(value)) >= SHORTEST_SECRET and not isinstance(value, bool):
        yield str(value)
