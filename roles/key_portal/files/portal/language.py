# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The languages of the pages: one file of texts each in `languages/`, and Babel for dates, numbers and amounts.

A file of a new language is found by itself: `fr.toml`, or `pt-BR.toml` for that of a country. Its texts are those of `en.toml`, with the same
{placeholders}; what is missing or cannot be used is shown in English. A text that counts something is a table, with one text for each plural
form that Babel knows of the language. `file_problems` names everything that is missing or wrong.
"""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.terms import BEYOND, NEVER
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_day_names
from babel.lists import format_list
from babel.numbers import NumberFormatError, format_currency, format_decimal, parse_decimal
from babel.units import format_unit

from .wording import TermLine

log = logging.getLogger("portal")

FOLDER = Path(__file__).with_name("languages")
SOURCE = "en"
"""The language whose texts others translate."""
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_UNITS = (("d", "day"), ("h", "hour"), ("m", "minute"), ("s", "second"))

Texts = Mapping[str, Any]


@dataclass(frozen=True)
class Language:
    """A language: its code, such as `de`, its own name, and its texts by section and name, such as `ask.title`."""

    code: str
    texts: Texts

    @property
    def name(self) -> str:
        return self("language.name")

    @property
    def locale(self) -> Locale:
        return locale_of(self.code)

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its placeholders filled in. With `count`, it is the text for that number."""
        text = self.texts[key]
        if isinstance(text, Mapping):
            number: Any = values["count"]
            text = text.get(self.locale.plural_form(number), text["other"])
            values = {**values, "count": self.number(number)}
        return str(text).format(**values) if values else str(text)

    # ------------------------------------------------------------------------------------- what Babel formats
    def number(self, number: Any) -> str:
        return str(format_decimal(number, locale=self.locale))

    def money(self, amount: float) -> str:
        """Return an amount of USD, with cents only if there are some."""
        pattern = str(self.locale.currency_formats["standard"].pattern)
        whole = pattern.replace(".00", "") if amount == int(amount) else pattern
        return str(format_currency(amount, "USD", whole, locale=self.locale, currency_digits=amount != int(amount)))

    def amount(self, text: str) -> float:
        """Return the number that somebody typed as it is written in this language, or else with a comma or a point. Raises ValueError."""
        try:
            return float(parse_decimal(text.strip(), locale=self.locale, strict=True))
        except NumberFormatError:
            return float(text.strip().replace(",", "."))

    def spend(self, amount: float) -> str:
        """Return what was spent, of which keys often have less than a cent."""
        return self("figures.less", amount=self.money(0.01)) if 0 < amount < 0.01 else self.money(round(amount, 2))

    def time(self, text: str) -> str:
        """Return a time of a record, in UTC."""
        return _time(self.code, text)

    def day(self, text: str) -> str:
        return str(format_date(_parsed(text), "long", locale=self.locale))

    def names(self, names: Iterable[str]) -> str:
        return str(format_list(list(names), locale=self.locale))

    def duration(self, duration: str) -> str:
        """Return a duration in the largest unit that divides it."""
        if duration == NEVER:
            return self("term.never")
        total = durations.seconds(duration)
        letter, unit = next((letter, unit) for letter, unit in _UNITS if total % durations.UNITS[letter] == 0)
        return str(format_unit(total // durations.UNITS[letter], unit, "long", locale=self.locale))

    def step(self, name: str) -> str:
        """Return the name of a step of a pass. One that only a newer release has stays as it is."""
        key = f"work.{name}"
        return self(key) if key in self.texts else name

    def fault(self, code: str) -> str:
        """Return what an error with this code is about, or nothing if the code is not known."""
        key = f"fault.{code}"
        return self(key) if key in self.texts else ""

    def reason(self, text: str) -> str:
        """Return a reason that a program wrote into a request in this language. What people wrote stays as it is."""
        for key, pattern in _reasons():
            match = pattern.fullmatch(text)
            if match is not None:
                return self(key, **{name: self._fact(name, value) for name, value in match.groupdict().items()})
        return text

    def sentence(self, name: str, values: object) -> str:
        """Return a sentence of a rule, from `plugin_utils.approval.sentences`, or nothing if it is not known or lacks a value."""
        key = f"rule.{name}"
        if key not in self.texts or not isinstance(values, Mapping):
            return ""
        facts = {str(each): self._fact(str(each), str(value)) for each, value in values.items()}
        try:
            return str(self.texts[key]).format_map(facts)
        except KeyError:
            return ""

    def _fact(self, name: str, value: str) -> str:
        if name == "weekday" and value in _WEEKDAYS:
            return str(get_day_names("abbreviated", locale=self.locale)[_WEEKDAYS.index(value)])
        if name == "when" and durations.is_time(value):
            return self.time(value)
        try:
            return self.duration(value) if name in ("duration", "duration_asked") else value
        except ValueError:
            return value

    # ------------------------------------------------------------------------------------------------- terms
    def term(self, name: str, value: Any) -> str:
        """Return a term as a sentence."""
        if name in ("duration", "budget_duration") and value == NEVER:
            return self(f"term.{name}_never")
        if name == BEYOND:
            return self("term.beyond" if value else "term.not_beyond")
        if name in ("rpm_limit", "tpm_limit", "max_parallel_requests"):
            return self(f"term.{name}", count=int(value))
        key = f"term.{name}"
        return self(key, value=self.term_value(name, value)) if key in self.texts else f"{name}: {value}"

    def term_value(self, name: str, value: Any) -> str:
        """Return the value of a term, as it stands in a table."""
        if isinstance(value, (list, tuple)):
            return ", ".join(str(entry) for entry in value)
        if name in ("duration", "budget_duration"):
            return self.duration(str(value))
        if name in ("max_budget", "soft_budget"):
            return self.money(value)
        if isinstance(value, bool):
            return self("term.yes" if value else "term.no")
        return self.number(value) if isinstance(value, (int, float)) else str(value)

    def terms(self, lines: Iterable[TermLine]) -> list[str]:
        return [self.term(line.name, line.value) for line in lines]


@lru_cache(maxsize=10_000)
def _time(code: str, text: str) -> str:
    at, locale = _parsed(text), locale_of(code)
    return f"{format_date(at, 'medium', locale=locale)}, {format_time(at, 'short', locale=locale)} UTC"


def _parsed(text: str) -> datetime:
    return durations.parse_time(text).astimezone(UTC)


# -------------------------------------------------------------------------------------------------------- the files
def locale_of(code: str) -> Locale:
    """Return what Babel knows of a language. Raises ValueError if that is nothing."""
    try:
        return Locale.parse(code, sep="-")
    except UnknownLocaleError as error:
        raise ValueError(str(error)) from None


def flat(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return the texts of a file under names such as `ask.title`. Raises ValueError for a text outside of a section."""
    outside = [name for name, texts in sections.items() if not isinstance(texts, Mapping)]
    if outside:
        raise ValueError(f"{outside[0]} is not in a section")
    return {f"{section}.{name}": text for section, texts in sections.items() for name, text in texts.items()}


def read_file(path: Path) -> dict[str, Any]:
    """Return the texts of a language's file. Raises ValueError."""
    return flat(tomllib.loads(path.read_text(encoding="utf-8")))


def file_problems(code: str) -> list[str]:
    """Return what is missing or wrong in the file of a language, a sentence each."""
    name = f"{code}.toml"
    try:
        locale = locale_of(code)
    except ValueError:
        return [f"{name} has the name of no language that Babel knows; name it as in fr.toml or pt-BR.toml"]
    try:
        texts = read_file(FOLDER / name)
    except ValueError as error:
        return [f"{name} cannot be read: {error}"]
    source = read_file(FOLDER / f"{SOURCE}.toml")
    missing = [f"{key} is missing" for key in source if key not in texts]
    unknown = [f"{key} is a text that no page shows" for key in texts if key not in source]
    wrong = [f"{key} {problem}" for key, text in texts.items() if key in source and (problem := _text_problem(text, source[key], locale))]
    return [*missing, *unknown, *wrong]


def _text_problem(text: Any, source: Any, locale: Locale) -> str:
    """Return what is wrong with a text, or nothing."""
    forms = text if isinstance(text, Mapping) else {"other": text}
    if isinstance(text, Mapping) != isinstance(source, Mapping) or not all(isinstance(form, str) for form in forms.values()):
        return "must have plural forms" if isinstance(source, Mapping) else "must be one text"
    needed = locale.plural_form.tags | {"other"}
    if isinstance(text, Mapping) and forms.keys() != needed:
        return f"has the plural forms {_names(forms)}; {locale.get_display_name('en')} needs {_names(needed)}"
    try:
        found, wanted = (_placeholders(each) for each in (text, source))
    except ValueError:
        return "has a { or } that is not part of a placeholder"
    if found != wanted:
        return f"has the placeholders {_names(found) or 'none'}; the English text has {_names(wanted) or 'none'}"
    return "is empty" if not all(forms.values()) and source else ""


def _placeholders(text: Any) -> set[str]:
    forms = text.values() if isinstance(text, Mapping) else [text]
    return {name for form in forms for _text, name, _spec, _conversion in Formatter().parse(form) if name is not None}


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


@lru_cache(maxsize=1)
def languages() -> Mapping[str, Language]:
    """Return all languages, by their codes. A file that cannot be used is logged and left out."""
    source = read_file(FOLDER / f"{SOURCE}.toml")
    found: dict[str, Language] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        try:
            locale, texts = locale_of(path.stem), read_file(path)
        except ValueError as error:
            log.error("The language in %s is left out: %s", path.name, error)
            continue
        usable = {key: text for key, text in texts.items() if key in source and not _text_problem(text, source[key], locale)}
        found[path.stem] = Language(path.stem, {**source, **usable})
    return found


@lru_cache(maxsize=1)
def _reasons() -> list[tuple[str, re.Pattern[str]]]:
    """Return the texts of the section `reason` as patterns: in English they are what programs write, with what they fill in."""
    texts = read_file(FOLDER / f"{SOURCE}.toml")
    escaped = {key: re.escape(text) for key, text in texts.items() if key.startswith("reason.")}
    return [(key, re.compile(re.sub(r"\\{([a-z]+)\\}", r"(?P<\1>.+)", text), re.DOTALL)) for key, text in escaped.items()]


def best_language(accepted: str, usual: str) -> Language:
    """Return the language that a browser wants most (`accepted` is its header Accept-Language), or the usual one."""
    known = languages()
    codes = {code.lower(): code for code in known}
    of_any_country = {code.partition("-")[0].lower(): code for code in reversed(list(known))} | {code: code for code in known if "-" not in code}
    for tag in _by_preference(accepted[:500]):
        code = codes.get(tag) or of_any_country.get(tag.partition("-")[0])
        if code:
            return known[code]
    return known[usual]


def _by_preference(accepted: str) -> list[str]:
    found: list[tuple[float, str]] = []
    for part in accepted.split(","):
        tag, _semicolon, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight.strip() else 1.0
        except ValueError:
            continue
        if quality > 0:
            found.append((-quality, tag.strip().lower()))
    return [tag for _quality, tag in sorted(found, key=lambda each: each[0])]
