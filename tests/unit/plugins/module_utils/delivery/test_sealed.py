# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Sealing a key: the format that a browser opens, what it is bound to, and what nobody learns without the secret."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery import client_env, sealed
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.sealed import CannotOpen, open_sealed, seal
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

BOX, REQUEST = f"4711.{'0' * 32}", "4711"
KEY = "sk-" + "k" * 43
DOCUMENT = sealed.document_of(KEY, "https://llm.example.com/", models=["granite"], alias="a", vendors=["openai"], paths={})


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def opened(contents: str, secret: str, **other: str) -> dict[str, Any]:
    return open_sealed(contents, secret, **{"box_id": BOX, "request_id": REQUEST, **other})


def test_what_is_sealed_is_what_is_opened_and_says_what_programs_need() -> None:
    done = seal(DOCUMENT, box_id=BOX, request_id=REQUEST)
    found = opened(done.contents, done.secret)
    assert found == DOCUMENT
    assert (found["key"], found["url"], found["expires"], found["models"]) == (KEY, "https://llm.example.com", None, ["granite"])
    assert found["variables"] == client_env.variables("https://llm.example.com", KEY, ["openai"])
    assert KEY not in decoded(done.contents).decode("latin-1") and done.secret not in repr(done) and done.contents not in repr(done)


def test_the_format_is_the_documented_one() -> None:
    """Written down once more, without the code under test: whoever opens boxes relies on it."""
    done = seal(DOCUMENT, box_id=BOX, request_id=REQUEST)
    raw, secret = decoded(done.contents), decoded(done.secret)
    assert len(secret) == 32 and "=" not in done.contents + done.secret
    plain = AESGCM(secret).decrypt(raw[:12], raw[12:], f"litellm-virtual-keys box 1|{BOX}|{REQUEST}".encode())
    assert json.loads(plain) == DOCUMENT and len(raw) == 12 + len(plain) + 16
    assert decoded(done.proof) == hashlib.sha256(b"litellm-virtual-keys proof 1|" + secret).digest()


def test_every_box_has_another_secret_and_nonce() -> None:
    all_done = [seal(DOCUMENT, box_id=BOX, request_id=REQUEST) for _number in range(50)]
    assert len({done.secret for done in all_done}) == len({done.contents[:16] for done in all_done}) == 50


@pytest.mark.parametrize("other", [{"box_id": f"4711.{'1' * 32}"}, {"request_id": "4712"}])
def test_contents_open_only_in_the_box_that_they_were_sealed_for(other: dict[str, str]) -> None:
    done = seal(DOCUMENT, box_id=BOX, request_id=REQUEST)
    with pytest.raises(CannotOpen) as caught:
        opened(done.contents, done.secret, **other)
    assert done.secret not in str(caught.value)


def test_nothing_opens_a_changed_box() -> None:
    done = seal(DOCUMENT, box_id=BOX, request_id=REQUEST)
    raw = decoded(done.contents)
    for place in range(0, len(raw), 7):
        changed = bytes([*raw[:place], raw[place] ^ 1, *raw[place + 1 :]])
        with pytest.raises(CannotOpen):
            opened(base64.urlsafe_b64encode(changed).decode().rstrip("="), done.secret)
    for contents, secret in ((done.contents[:20], done.secret), ("", done.secret), (done.contents, "A" * 43), (done.contents, "short"), ("ä", done.secret)):
        with pytest.raises(CannotOpen):
            opened(contents, secret)


@pytest.mark.parametrize("secret", ["", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "ä", "A" * 42 + "%"])
def test_a_link_that_lost_its_end_proves_nothing(secret: str) -> None:
    with pytest.raises(CannotOpen, match="use the whole link"):
        sealed.opening_proof(secret)


def test_the_link_has_the_secret_in_its_fragment_only() -> None:
    assert sealed.link_of("https://keys.example.com/portal/", BOX, "S" * 43) == f"https://keys.example.com/portal/open/{BOX}#{'S' * 43}"


@pytest.mark.parametrize("url", ["https://keys.example.com", "https://keys.example.com:8443/portal/", "http://localhost:8000", "http://[::1]:8000"])
def test_portals_that_can_open(url: str) -> None:
    sealed.check_portal_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "keys.example.com",
        "http://keys.example.com",
        "ftp://keys.example.com",
        "https://",
        "https://u:p@keys.example.com",
        "https://keys.example.com/#x",
        "https://keys.example.com/?x",
        "https://keys.example.com/#",
        "https://keys.example.com/ x",
        "https://keys.example.com:port",
        "https://k\u00e9ys.example.com",
        "https://[::1",
        "javascript:alert(1)//",
    ],
)
def test_an_address_that_opens_nothing_is_refused_before_anything_is_sealed(url: str) -> None:
    with pytest.raises(ValueError, match="the address of the portal is "):
        sealed.check_portal_url(url)


def test_a_refusal_that_quotes_the_link_is_shown_without_its_secret() -> None:
    secret = seal(DOCUMENT, box_id=BOX, request_id=REQUEST).secret
    words = f"550 spam: https://keys.example.com/open/{BOX}#{secret} or {secret[5:20]} or %23{secret} at mx1.example.com"
    shown = sealed.without_secret(words, secret)
    assert not any(secret[start : start + 8] in shown for start in range(36))
    assert "550 spam" in shown and "mx1.example.com" in shown and BOX in shown


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "CRYPTOGRAPHY_ERROR", ImportError("No module named 'cryptography'"))
    with pytest.raises(ValueError, match="the Python library cryptography is missing where Ansible runs"):
        seal(DOCUMENT, box_id=BOX, request_id=REQUEST)
