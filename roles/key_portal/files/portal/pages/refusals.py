# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Why the desk refused something, in the language of whoever looks."""

from __future__ import annotations

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import errors
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Refusal, RequestRefused
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.terms import GRANTABLE

from ..language import Language

_TEXTS: dict[type[Exception], str] = {errors.Busy: "refusal.busy", errors.Broken: "error.broken", errors.Missing: "error.missing"}
_UNRECORDABLE = "refusal.unrecordable"


def refusal_in_words(error: Exception, language: Language) -> str:
    """Return why the desk refused something: an error of the store, or a ValueError about what was typed."""
    if isinstance(error, RequestRefused):
        return language(f"refusal.{error.why}", terms=_names(error.terms, language)) if error.why is Refusal.MORE else language(f"refusal.{error.why}")
    if isinstance(error, ValueError):
        return _of_input(str(error), language)
    return language(_TEXTS.get(type(error), _UNRECORDABLE))


def _of_input(message: str, language: Language) -> str:
    """Return what is wrong with a reason or a term. The messages of the checks begin with its name."""
    name = message.partition(" ")[0].removeprefix("granted.")
    if name in GRANTABLE:
        return language("refusal.wrong_term", term=language(f"terms_of.{name}"))
    return language("refusal.wrong_reason" if name == "reason" else _UNRECORDABLE)


def _names(terms: tuple[str, ...], language: Language) -> str:
    return language.names([language(f"terms_of.{name}") if name in GRANTABLE else name for name in terms])
