# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A new language is one file: the pages offer it at once, in English where it lacks a text, and what it lacks or has too much is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal import language
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.language import FOLDER, file_problems, languages
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import TestPortal, Visitor

PARTLY = """
[language]
name = "Français"
[nav]
ask = "Demander une clé"
[admin]
several_done = {one = "Une demande est décidée.", many = "{count} de demandes.", other = "{count} demandes sont décidées."}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder of languages that a test may change."""
    copied = tmp_path / "languages"
    shutil.copytree(FOLDER, copied)
    monkeypatch.setattr(language, "FOLDER", copied)
    languages.cache_clear()
    yield copied
    languages.cache_clear()


def test_a_file_that_is_begun_shows_on_all_pages(folder: Path, site: TestPortal) -> None:
    (folder / "fr.toml").write_text(PARTLY, encoding="utf-8")
    visitor = Visitor(site, "fr-CA,fr;q=0.9")
    page = visitor.see("/ask")
    assert '<html lang="fr">' in page and "Demander une clé" in page and ">Français<" in page
    assert "What do you need?" in page  # not translated yet
    visitor.send("/language", {"language": "fr", "back": "/sign-in"})
    visitor.client.headers["Accept-Language"] = "de"
    assert '<html lang="fr">' in visitor.see("/sign-in")
    visitor.send("/ask", {"what": "other", "other": "granite", "purpose": "x", "email": "ada@example.com", "agree": "yes", "max_budget": "2,50"})
    visitor.sign_in("boss@example.com")
    assert "demandes" in languages()["fr"]("admin.several_done", count=3)
    assert visitor.see("/admin")


def test_a_file_for_a_country(folder: Path, site: TestPortal) -> None:
    (folder / "pt-BR.toml").write_text(PARTLY.replace("Français", "Português"), encoding="utf-8")
    for wanted in ("pt-BR,en;q=0.5", "pt-PT", "pt"):
        assert "Português" in Visitor(site, wanted).see("/ask") and '<html lang="pt-BR">' in Visitor(site, wanted).see("/ask")
    assert '<html lang="en">' in Visitor(site, "xx").see("/ask")


def test_what_is_missing_is_named(folder: Path) -> None:
    (folder / "fr.toml").write_text(PARTLY.replace('many = "{count} de demandes.", ', ""), encoding="utf-8")
    problems = file_problems("fr")
    assert "ask.title is missing" in problems and "nav.ask is missing" not in problems
    assert "admin.several_done has the plural forms one, other; French needs many, one, other" in problems
    assert languages()["fr"]("admin.several_done", count=3) == "3 requests were decided."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace('title = "Schlüssel anfragen"', 'titel = "x"'), "ask.titel is a text that no page shows"),
        (lambda text: text.replace("{minutes}", "{minuten}"), "sent.text has the placeholders minuten; the English text has minutes"),
        (lambda text: text.replace("{minutes}", "{"), "sent.text has a { or } that is not part of a placeholder"),
        (lambda text: text.replace('title = "Schlüssel anfragen"', 'title = ""'), "ask.title is empty"),
        (lambda text: text.replace('title = "Schlüssel anfragen"', 'title = "Ask for a key for all"'), ""),
        (lambda text: text.replace("[ask]", "[ask"), "de.toml cannot be read"),
        (
            lambda text: text.replace('one = "Es gibt noch eines', 'ein = "Es gibt noch eines'),
            "ask.more has the plural forms ein, other; German needs one, other",
        ),
    ],
)
def test_what_is_wrong_is_named(folder: Path, change: Callable[[str], str], said: str) -> None:
    path = folder / "de.toml"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    problems = file_problems("de")
    assert any(problem.startswith(said) for problem in problems) if said else problems == []


def test_a_file_whose_name_is_no_language_is_named(folder: Path, site: TestPortal) -> None:
    (folder / "klingon.toml").write_text(PARTLY, encoding="utf-8")
    assert file_problems("klingon") == ["klingon.toml has the name of no language that Babel knows; name it as in fr.toml or pt-BR.toml"]
    assert "Français" not in Visitor(site, "fr").see("/ask")  # it is left out, and the others work


def test_a_file_that_cannot_be_read_does_not_stop_the_portal(folder: Path, site: TestPortal) -> None:
    (folder / "fr.toml").write_text("[nav\n", encoding="utf-8")
    assert "Ask for a key" in Visitor(site, "fr").see("/ask")
