# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Which refusals are the last word about a mail."""

from __future__ import annotations

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.refusals import refuses_this_mail


@pytest.mark.parametrize("code", range(400, 500))
def test_a_temporary_code_is_never_the_last_word(code: int) -> None:
    assert not refuses_this_mail(code, "5.1.1 whatever it says")
    assert not refuses_this_mail(code, "", of_sender=True)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (550, "5.1.1 no such user"),
        (550, "no such user"),
        (550, "5.2.1 The email account that you tried to reach is disabled"),
        (550, "5.4.1 Recipient address rejected: Access denied"),
        (550, "5.7.1 blocked as spam"),
        (551, "not here"),
        (552, "5.3.4 message too big"),
        (552, "5.2.3 longer than the recipient takes"),
        (552, "5.7.0 This message was blocked because of its content"),
        (553, "5.1.3 bad address"),
        (554, "5.6.0 bad content"),
        (556, "5.1.10 the domain takes no mail"),
        (599, ""),
    ],
)
def test_a_refusal_of_the_recipient_or_the_content_is_the_last_word(code: int, words: str) -> None:
    assert refuses_this_mail(code, words)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (500, "unknown command"),
        (502, "5.5.1 not implemented"),
        (503, "5.5.1 authentication first"),
        (521, "this host takes no mail"),
        (530, "5.7.0 Must issue a STARTTLS command first"),
        (535, "5.7.8 Username and Password not accepted"),
        (538, "encryption required"),
        (550, "5.4.5 Daily user sending limit exceeded"),
        (550, "5.7.60 SMTP; Client does not have permissions to send as this sender"),
        (550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain"),
        (554, "5.7.1 <eve@example.org>: Relay access denied"),
        (552, "5.2.2 The recipient's inbox is out of storage space"),
        (552, "exceeded storage allocation"),
        (554, "5.3.5 system incorrectly configured"),
        (555, "parameter not known"),
    ],
)
def test_a_fault_that_somebody_can_mend_is_not_the_last_word(code: int, words: str) -> None:
    assert not refuses_this_mail(code, words)


@pytest.mark.parametrize(("code", "words"), [(550, "5.7.1 not allowed to send as"), (553, "5.1.8 sender unknown"), (554, ""), (552, "")])
def test_a_refused_sender_is_a_fault_of_the_settings(code: int, words: str) -> None:
    assert not refuses_this_mail(code, words, of_sender=True)


def test_a_mail_too_large_is_refused_with_the_sender_already() -> None:
    assert refuses_this_mail(552, "5.3.4 message size exceeds the limit", of_sender=True)
