# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The languages of the pages: every file has the same texts with the same placeholders, and every text that pages show exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Refusal
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import STATES
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.sentences import SENTENCES
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal import language
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.language import FOLDER, best_language, file_problems, languages, read_file

PORTAL = Path(language.__file__).parent
SOURCE = read_file(FOLDER / "en.toml")
CODES = sorted(path.stem for path in FOLDER.glob("*.toml"))


def test_there_are_three() -> None:
    assert {"en", "de", "es"} <= set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_nothing_is_missing(code: str) -> None:
    assert file_problems(code) == []


@pytest.mark.parametrize("code", [code for code in CODES if code != "en"])
def test_texts_are_translated(code: str) -> None:
    texts = read_file(FOLDER / f"{code}.toml")
    same = [key for key, text in SOURCE.items() if texts[key] == text and isinstance(text, str) and len(text.split()) > 2]
    assert same == []


def test_the_sentences_of_rules_are_those_that_rules_say() -> None:
    assert {key.removeprefix("rule."): text for key, text in SOURCE.items() if key.startswith("rule.")} == dict(SENTENCES)


def test_a_sentence_of_a_rule_is_said_in_the_language() -> None:
    de = languages()["de"]
    assert de.sentence("duration_cut", {"duration_asked": "30d", "duration": "never"}) == "Laufzeit von 30 Tage auf nie gekürzt"
    assert de.sentence("blackout", {"weekday": "Wed", "time": "2026-12-02 03:10", "timezone": "UTC"}).startswith("es ist Mi")
    assert de.sentence("model_listed", {"model": "{model} {count}"}) == "das Modell {model} {count} steht auf der Liste"
    assert [de.sentence(*each) for each in (("unknown", {}), ("model_listed", {}), ("model_listed", None), ("model_listed", ["model"]))] == [""] * 4


def test_every_error_of_the_gateway_has_words() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.GatewayError) and "code" in vars(kind)]
    codes = {kind.code for kind in kinds} - {"gateway_error", "incomplete"}
    assert {key.removeprefix("fault.") for key in SOURCE if key.startswith("fault.")} == codes
    assert languages()["de"].fault("unreachable") == "Das Gateway ist nicht erreichbar." and languages()["de"].fault("x") == ""


def test_every_text_that_is_shown_exists() -> None:
    files = [*(PORTAL / "templates").rglob("*.html"), *(PORTAL / "templates").rglob("*.txt"), *(PORTAL / "pages").glob("*.py"), PORTAL / "language.py"]
    named = {key for path in files for key in re.findall(r"""["']([a-z_]+\.[a-z0-9_-]+)["']""", path.read_text(encoding="utf-8"))}
    sections = {key.partition(".")[0] for key in SOURCE}
    wanted = {key for key in named if key.partition(".")[0] in sections and key.rpartition(".")[2] not in ("html", "txt", "py", "js")}
    assert len(wanted) > 100
    assert sorted(key for key in wanted if key not in SOURCE and not any(known.startswith(key) for known in SOURCE)) == []
    assert [why for why in Refusal if f"refusal.{why}" not in SOURCE] == []
    assert [state for state in STATES if state != "approved" and f"state.{state}" not in SOURCE] == []


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr;q=1, es-MX;q=0.7, en;q=0.3", "es"),
        ("en;q=0.1, de;q=0.2", "de"),
        ("de;q=0, es", "es"),
        ("", "en"),
        ("*", "en"),
        ("de;q=x,", "en"),
        ("../../etc/passwd", "en"),
        ("x" * 100_000, "en"),
    ],
)
def test_the_browser_chooses(accepted: str, code: str) -> None:
    assert best_language(accepted, "en").code == code


@pytest.mark.parametrize(
    ("code", "text", "amount"),
    [
        ("en", "1,000", 1000),
        ("en", "2.5", 2.5),
        ("en", " 2,5 ", 2.5),
        ("de", "1.000", 1000),
        ("de", "2,5", 2.5),
        ("de", "2.50", 2.5),
        ("es", "1.234,5", 1234.5),
    ],
)
def test_an_amount_is_read_as_it_is_written_in_the_language(code: str, text: str, amount: float) -> None:
    assert languages()[code].amount(text) == amount


@pytest.mark.parametrize("text", ["", "x", "1 2", "1,2,3", "--1"])
def test_what_is_not_an_amount(text: str) -> None:
    for each in languages().values():
        with pytest.raises(ValueError, match="could not convert"):
            each.amount(text)


def test_numbers_dates_and_durations_are_those_of_the_language() -> None:
    en, de, es = (languages()[code] for code in ("en", "de", "es"))
    assert [each.money(1234.5) for each in (en, de, es)] == ["$1,234.50", "1.234,50\xa0$", "1.234,50\xa0US$"]
    assert [each.money(5) for each in (en, de, es)] == ["$5", "5\xa0$", "5\xa0US$"]
    assert [each.duration("720h") for each in (en, de, es)] == ["30 days", "30 Tage", "30 días"]
    assert [each.time("2026-11-21T16:05:00Z") for each in (en, de, es)] == [
        "Nov 21, 2026, 4:05\u202fPM UTC",
        "21.11.2026, 16:05 UTC",
        "21 nov 2026, 16:05 UTC",
    ]
    assert de.term("rpm_limit", 1) == "Bis zu einem Aufruf in der Minute"
    assert de.term("rpm_limit", 12345) == "Bis zu 12.345 Aufrufe in der Minute"
    assert (en.term("duration", "never"), en.term("unknown", "{x}")) == ("Has no end", "unknown: {x}")
    assert en.term("models", ["{count}", "%s"]) == "Models: {count}, %s"
