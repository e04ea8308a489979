# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The `config.yaml` of the LLM Key Requestor: read as text, never templated, and used where neither variables nor the environment say otherwise.

Its entries are those of the requestor's releases up to November 2025. What only its web service needs is kept as it stands there:
passes do not look at it, and the portal checks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..module_utils.common.printable import printable
from ..module_utils.delivery import mailer
from ..module_utils.litellm.environment import API_KEY_ENVIRONMENT, URL_ENVIRONMENT

LARGEST = 1_000_000
"""Bytes of a file. The requestor's own sample has four thousand."""
MOST_ENTRIES = 100_000
FILE_VARIABLE, TEXT_VARIABLE = "CONFIG_FILE", "CONFIG"
"""Variables of the environment: a path, and a path or the YAML itself."""
INTERVAL_VARIABLE = "APPROVAL_QUEUE_INTERVAL"
_MAIL = {"host": "host", "port": "port", "user": "user", "password": "password", "from": "sender"}
_MAIL |= {"use_tls": "use_tls", "start_tls": "start_tls", "verify_ssl": "validate_certs"}
"""What the options of `key_mail` are called under `smtp`."""
_KNOWN: dict[str, frozenset[str] | None] = {
    "litellm": frozenset(("base_url", "api_key", "gateway_url", "enable_litellm_models")),
    "smtp": frozenset(_MAIL),
    "approval": frozenset(("queue_interval",)),
    "kubernetes": frozenset(("namespace",)),
    "admin": frozenset(("username", "password")),
    "mcp": frozenset(("api_key",)),
    "approval_plugins": None,
    "models": None,
    "featured_models": None,
    "enable_litellm_models": None,
}
"""The known entries, each with those below it if it is a mapping."""


@dataclass(frozen=True)
class RequestorConfig:
    """The entries that are used. Texts are empty if they are not given; `unknown` names entries that nobody knows."""

    rules: list[Any] = field(default_factory=list)
    interval: str = ""
    url: str = ""
    gateway_url: str = ""
    api_key: str = field(default="", repr=False)
    namespace: str = ""
    mail: Mapping[str, str] = field(default_factory=dict, repr=False)
    unknown: tuple[str, ...] = ()
    models: Any = None
    """What the portal shows of models, unchecked as the other entries below."""
    featured_models: Any = None
    with_served_models: Any = None
    """Whether the catalogue begins with what LiteLLM serves."""
    admin: Mapping[Any, Any] = field(default_factory=dict, repr=False)

    def fill(self, arguments: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
        """Return the arguments of a pass with what they, and the environment, do not say."""
        gateway, mail = dict(arguments.get("gateway") or {}), dict(arguments.get("mail") or {})
        store, delivery = dict(arguments.get("store") or {}), dict(arguments.get("delivery") or {})
        for name, value, variables in (("url", self.url, URL_ENVIRONMENT), ("api_key", self.api_key, API_KEY_ENVIRONMENT)):
            _fill(gateway, name, value, any(environment.get(variable) for variable in variables))
        for name, value in self.mail.items():
            _fill(mail, name, value, bool(environment.get(mailer.ENVIRONMENT[name])))
        _fill(store, "namespace", self.namespace, bool(environment.get("KUBERNETES_NAMESPACE")))
        _fill(delivery, "url", self.gateway_url, bool(environment.get("LITELLM_GATEWAY_URL")))
        filled = {**arguments, "gateway": gateway, "mail": mail, "store": store, "delivery": delivery}
        _fill(filled, "rules", self.rules, False)
        _fill(filled, "interval", self.interval, bool(environment.get(INTERVAL_VARIABLE)))
        return filled


def _fill(arguments: dict[str, Any], name: str, value: Any, is_set: bool) -> None:
    if value and not is_set and arguments.get(name) in (None, "", []):
        arguments[name] = value


def find_config(path: str, environment: Mapping[str, str]) -> RequestorConfig | None:
    """Return the configuration in the file `path`, else in that of CONFIG_FILE, else that of CONFIG; None if there is none.

    CONFIG is a name that other programs use as well, so a value that is neither YAML with a known entry nor a file is not
    taken for one, unless it ends like one. Raises ValueError for one that cannot be used.
    """
    named = path or environment.get(FILE_VARIABLE, "")
    if named:
        return read_config(named)
    text = environment.get(TEXT_VARIABLE, "")
    if text and ("\n" in text or ": " in text or text.startswith("{")):
        return parse_config(text, f"the variable {TEXT_VARIABLE}")
    if text and (text.endswith((".yaml", ".yml")) or Path(text).is_file()):
        return read_config(text)
    return None


def read_config(path: str) -> RequestorConfig:
    """Return the configuration in a file. Raises ValueError, which shows nothing of its contents."""
    shown = printable(path, 300)
    try:
        with Path(path).expanduser().open("rb") as file:
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{shown} is not text in UTF-8; give the config.yaml of the LLM Key Requestor.") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name is not that of a file"
        raise ValueError(f"{shown} cannot be read: {why}; give the path of a config.yaml.") from None
    if len(content) > LARGEST:
        raise ValueError(f"{shown} has more than {LARGEST} bytes; give the config.yaml of the LLM Key Requestor.")
    return parse_config(text, shown)


def parse_config(text: str, source: str) -> RequestorConfig:
    """Return the configuration in YAML. `source` is what errors call it. Raises ValueError, which shows no value."""
    document = _loaded(text, source)
    sections = {name: _section(document, name, source) for name, known in _KNOWN.items() if known is not None}
    rules = document.get("approval_plugins")
    if rules is not None and not isinstance(rules, list):
        raise ValueError(f"approval_plugins in {source} is {_kind(rules)}; give a list of rules, each with a name and its config.")
    return RequestorConfig(
        rules=rules or [],
        interval=_text(sections, "approval", "queue_interval", source),
        url=_text(sections, "litellm", "base_url", source),
        gateway_url=_text(sections, "litellm", "gateway_url", source),
        api_key=_text(sections, "litellm", "api_key", source),
        namespace=_text(sections, "kubernetes", "namespace", source),
        mail={option: value for name, option in _MAIL.items() if (value := _text(sections, "smtp", name, source))},
        unknown=tuple(_unknown(document, sections)),
        models=document.get("models"),
        featured_models=document.get("featured_models"),
        with_served_models=sections["litellm"].get("enable_litellm_models", document.get("enable_litellm_models")),
        admin=sections["admin"],
    )


class _UniqueKeys(yaml.SafeLoader):
    """A loader that refuses an entry which stands twice, because the second one would silently replace the first."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        names = [child.value for child, _value in node.value if isinstance(child, yaml.ScalarNode)]
        twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
        if twice is not None:
            raise _Twice(printable(str(twice), 80), node.start_mark.line + 1)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


class _Twice(Exception):
    """An entry stands twice."""

    def __init__(self, name: str, line: int) -> None:
        super().__init__(name)
        self.name, self.line = name, line


def _loaded(text: str, source: str) -> dict[str, Any]:
    try:
        document = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader
    except _Twice as error:
        raise ValueError(f"{source} has {error.name!r} twice in the entry at line {error.line}; keep one of them.") from None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None)  # the error itself would quote the line, which may hold a key
        raise ValueError(f"{source} is not YAML that can be used{f', see line {mark.line + 1}' if mark else ''}; correct it.") from None
    if _entries(document, {}) > MOST_ENTRIES:
        raise ValueError(f"{source} has more than {MOST_ENTRIES} entries, with those that its aliases repeat; write them out, as far as they are needed.")
    if not isinstance(document, dict):
        raise ValueError(f"{source} holds {_kind(document)}; give a mapping with entries such as approval_plugins and litellm.")
    return document


def _entries(value: object, known: dict[int, int]) -> int:
    """Return how many entries there are, counted anew wherever an alias repeats them. In a value that holds itself there are too many."""
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        known[id(value)] = MOST_ENTRIES + 1
        known[id(value)] = 1 + sum(_entries(entry, known) for entry in (value.values() if isinstance(value, dict) else value))
    return known[id(value)]


def _section(document: Mapping[str, Any], name: str, source: str) -> Mapping[Any, Any]:
    found = document.get(name)
    if found is not None and not isinstance(found, dict):
        raise ValueError(f"{name} in {source} is {_kind(found)}; give a mapping.")
    return found or {}


def _text(sections: Mapping[str, Mapping[Any, Any]], section: str, name: str, source: str) -> str:
    value = sections[section].get(name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        raise ValueError(f"{section}.{name} in {source} is {_kind(value)}; give a text.")
    return str(value)


def _unknown(document: Mapping[Any, Any], sections: Mapping[str, Mapping[Any, Any]]) -> Iterator[str]:
    yield from (printable(str(name), 80) for name in document if name not in _KNOWN)
    for section, entries in sections.items():
        known = _KNOWN[section] or frozenset()
        yield from (f"{section}.{printable(str(name), 80)}" for name in entries if name not in known)


def _kind(value: object) -> str:
    kinds = {dict: "a mapping", list: "a list", str: "a text", bool: "a switch", int: "a number", float: "a number", type(None): "nothing"}
    return kinds.get(type(value), "something else")
