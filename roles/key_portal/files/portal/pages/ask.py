# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The page on which somebody asks for a key.

Whoever is not signed in gets a mail with a link, and the request is made when that is opened: until then nothing is recorded. The
answer is the same for every address.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import parse_address
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mail import LANGUAGES
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import LONGEST_MODEL, MOST_MODELS
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.terms import LARGEST_AMOUNT
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.text import check_text, looks_like_key
from fastapi import APIRouter, Form, Query
from fastapi.responses import Response

from ..api.requestor import ORIGIN
from ..catalogue import Catalogue
from ..identity.link import METHOD as LINK
from ..language import Language
from ..rates import may_ask
from ..sign_on import OIDC
from ..signing import ASKING
from .choices import MODEL, OTHER, PACKAGE, find_choice, find_choices
from .links import send_link
from .page import AnyPage, Page, PageError

router = APIRouter()
log = logging.getLogger("portal")

LIFETIMES = ("1d", "7d", "14d", "30d", "90d", "180d")
LONGEST_WORDS = 1_000
"""Characters of a purpose: it must fit into the link that is mailed."""
MOST_TYPED = 20
"""How many models can be typed."""


@dataclass(frozen=True)
class AskForm:
    """What was filled in, as text."""

    what: str = ""
    other: str = ""
    purpose: str = ""
    duration: str = ""
    max_budget: str = ""
    email: str = ""
    agree: str = ""


@router.get("/ask")
def ask_page(
    page: AnyPage,
    what: Annotated[str, Query(max_length=300)] = "",
    search: Annotated[str, Query(max_length=200, alias="q")] = "",
) -> Response:
    """Show the form. With `q`, the catalogue has what was searched for; htmx gets the catalogue alone."""
    if page.is_part:
        return page.show("part/choices.html", **_catalogue_of(page, search, what))
    return _form(page, AskForm(what=what), {}, search=search)


@router.post("/ask")
def ask(
    page: AnyPage,
    csrf: Annotated[str, Form()] = "",
    what: Annotated[str, Form()] = "",
    direct: Annotated[str, Form()] = "",
    other: Annotated[str, Form()] = "",
    purpose: Annotated[str, Form()] = "",
    duration: Annotated[str, Form()] = "",
    max_budget: Annotated[str, Form()] = "",
    email: Annotated[str, Form()] = "",
    agree: Annotated[str, Form()] = "",
) -> Response:
    """Make the request of somebody who is signed in, or mail a link to the address that was typed.

    `direct` is the card whose own button was pressed, and counts in place of the one that is chosen.
    """
    page.check_form(csrf)
    if page.person is None and OIDC in page.settings.identity_methods and LINK not in page.settings.identity_methods:
        raise PageError(401, "error.signed_out")
    form = AskForm(direct or what, other, purpose, duration, max_budget, page.person.email if page.person else email.strip(), agree)
    wish, problems = read_form(form, page.portal.catalogue(), page.language)
    if wish is None:
        return _form(page, form, problems, status=422)
    wish = replace(wish, language=page.language.code if page.language.code in LANGUAGES else "")
    if page.person is None:
        return send_link(page, ASKING, wish.email, wish=link_content(wish))
    return make_request(page, wish, by=page.person.email)


def make_request(page: Page, wish: Wish, *, by: str, linked_at: str = "") -> Response:
    """Submit a request for somebody whose address is proven, and show what became of it. Raises StoreError and PageError.

    `linked_at` is when the link was signed that was opened for it. A link makes its request once, whatever became of that.
    """
    wanted = wish.record(at=page.portal.clock())
    made = page.portal.store.find(wanted) if linked_at else None
    if made is not None and made.verified_at and made.asked_at > linked_at:
        return page.go(f"/mine/{made.id}", said="known")
    if not may_ask(page.request, wish.email, wanted.id):
        raise PageError(429, "error.too_many")
    transition = page.portal.desk.ask(replace(wish, origin=ORIGIN, verified_at=page.portal.clock()), by=by)
    page.portal.changed()
    assert transition.after is not None
    return page.go(f"/mine/{transition.after.id}", said="known" if transition.before and transition.before.state == transition.after.state else "asked")


def read_form(form: AskForm, catalogue: Catalogue, language: Language) -> tuple[Wish | None, dict[str, str]]:
    """Return the wish that was filled in, or the names of the texts that say what is wrong, by field."""
    problems: dict[str, str] = {}
    models, package = _read_what(form, catalogue, problems)
    try:
        email = str(parse_address(form.email))
    except ValueError:
        email, problems["email"] = "", "ask.wrong_email"
    purpose = _read_purpose(form.purpose, problems)
    if form.duration and form.duration not in LIFETIMES:
        problems["duration"] = "ask.wrong_duration"
    budget = _read_budget(form.max_budget, language, problems)
    if form.agree != "yes":
        problems["agree"] = "ask.wrong_agree"
    if problems:
        return None, {field.name: problems[field.name] for field in fields(form) if field.name in problems}
    wish = Wish(email, models, package, purpose=purpose, duration=form.duration, max_budget=budget)
    try:
        wish.record(at="2026-01-01T00:00:00Z")
    except ValueError:
        return None, {"email" if "email is" in _reason_of(wish) else "what": "ask.wrong_request"}
    return wish, {}


def _reason_of(wish: Wish) -> str:
    try:
        wish.record(at="2026-01-01T00:00:00Z")
    except ValueError as error:
        return str(error)
    return ""


def _read_what(form: AskForm, catalogue: Catalogue, problems: dict[str, str]) -> tuple[tuple[str, ...], str]:
    if form.what == OTHER:
        names = tuple(dict.fromkeys(name for part in form.other.split(",") if (name := part.strip())))
        if not names or len(names) > min(MOST_TYPED, MOST_MODELS) or any(len(name) > LONGEST_MODEL or "*" in name or looks_like_key(name) for name in names):
            problems["other"] = "ask.wrong_other"
        return names, ""
    choice = find_choice(catalogue, form.what)
    if choice is None:
        problems["what"] = "ask.wrong_what"
        return (), ""
    return ((choice.name,), "") if choice.kind == MODEL else ((), choice.name)


def _read_purpose(text: str, problems: dict[str, str]) -> str:
    try:
        purpose = check_text(text.replace("\r\n", "\n").strip(), "purpose", LONGEST_WORDS, lines=True)
    except ValueError:
        problems["purpose"] = "ask.wrong_key" if looks_like_key(text) else "ask.wrong_purpose"
        return ""
    if looks_like_key(purpose):
        problems["purpose"] = "ask.wrong_key"
    elif not purpose:
        problems["purpose"] = "ask.missing_purpose"
    return purpose


def _read_budget(text: str, language: Language, problems: dict[str, str]) -> float | None:
    if not text.strip():
        return None
    try:
        amount = language.amount(text)
    except ValueError:
        amount = -1
    if not 0 <= amount <= LARGEST_AMOUNT:
        problems["max_budget"] = "ask.wrong_budget"
        return None
    return amount


# -------------------------------------------------------------------------------------------------------------- links
def link_content(wish: Wish) -> dict[str, Any]:
    """Return what the link of a request carries."""
    fields = ("email", "models", "package", "purpose", "duration", "max_budget", "language")
    return {name: value for name in fields if (value := asdict(wish)[name]) not in ("", (), None)}


def wish_from_link(content: Mapping[str, Any]) -> Wish:
    """Return the wish that a link carries. Its signature was checked."""
    return Wish(**{**content, "models": tuple(content.get("models", ()))})


# --------------------------------------------------------------------------------------------------------------- page
def _catalogue_of(page: Page, search: str, chosen: str) -> dict[str, Any]:
    choices = find_choices(page.portal.catalogue(), search, chosen)
    return {"choices": choices, "search": search, "chosen": chosen, "PACKAGE": PACKAGE, "MODEL": MODEL, "is_part": page.is_part}


def _form(page: Page, form: AskForm, problems: Mapping[str, str], *, status: int = 200, search: str = "") -> Response:
    catalogue = page.portal.catalogue()
    lifetimes = [(lifetime, page.language.duration(lifetime)) for lifetime in LIFETIMES]
    values: dict[str, Any] = {**_catalogue_of(page, search, form.what), "wrong": lambda field: page.language(problems[field]) if field in problems else ""}
    values |= {"limits": catalogue.limits, "OTHER": OTHER, "longest": LONGEST_WORDS, "is_first": not (problems or search or form.what)}
    return page.show("ask.html", status, form=form, problems=problems, lifetimes=lifetimes, **values)
