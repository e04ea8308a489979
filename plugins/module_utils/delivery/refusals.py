# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Which refusals of a mail server are the last word about a mail, and which end when somebody mends a setting or makes room.

A permanent code (5xx, RFC 5321) says that the same command fails again. It is the last word about the mail only if it is about
this mail: its recipient or its content. Refusals of the login, of the sender, of relaying, or of a command are faults of our
settings, and all mails would be lost if they counted as the last word. The enhanced codes are from RFC 3463 and the IANA's
registry of them.
"""

from __future__ import annotations

import re

_ENHANCED = re.compile(r"^\s*5\.(\d{1,3})\.(\d{1,3})\b")

# Codes about the session, not about a mail: unknown commands and their order (500 to 504), a host that takes no mail at all (521),
# a login that is missing, failed, too weak or unencrypted (530, 534, 535, 538), parameters that the server does not know (555).
_ABOUT_THE_SESSION = frozenset((500, 501, 502, 503, 504, 521, 530, 534, 535, 538, 555))
# X.1.7, X.1.8: the sender's address. X.2.2: the mailbox is full. X.3.0 to X.3.2 and X.3.5: the system. X.4.5: too many mails, such as
# Gmail's daily limit. X.7.8, X.7.9, X.7.11: the login.
_TEMPORARY = {(1, 7), (1, 8), (2, 2), (3, 0), (3, 1), (3, 2), (3, 5), (4, 5), (7, 8), (7, 9), (7, 11)}
# Microsoft 365: X.1.90, X.7.232, X.7.233 are daily limits, X.2.252 and X.7.60 mean that the login may not send as this sender.
_TEMPORARY |= {(1, 90), (7, 232), (7, 233), (2, 252), (7, 60)}
_MAIL_TOO_LARGE = frozenset(((2, 3), (3, 4)))
_FULL = 552
_NO_RELAYING = re.compile(r"\brelay", re.IGNORECASE)


def refuses_this_mail(code: int, words: str, *, of_sender: bool = False) -> bool:
    """Return whether an answer is the last word about the mail, so no later try can succeed.

    `words` are the server's, with the enhanced code first if it gives one. `of_sender`: it answers the sender's address.
    """
    if code < 500 or code in _ABOUT_THE_SESSION:
        return False
    found = _ENHANCED.match(words)
    enhanced = (int(found[1]), int(found[2])) if found else None
    if of_sender:
        return enhanced in _MAIL_TOO_LARGE
    if enhanced in _TEMPORARY or _NO_RELAYING.search(words):
        return False
    # Without an enhanced code, 552 is a full mailbox, or too many recipients (RFC 5321, section 4.5.3.1.10): our mails are small.
    return code != _FULL or enhanced is not None
