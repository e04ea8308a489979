# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Fingerprints of secrets, which show whether a secret is the one that was written last without revealing it.

LiteLLM shows a provider's key masked or not at all, so it does not reveal whether the key has to be written again. That
is why a fingerprint is noted next to the key: the HMAC-SHA256 of the entry, the field and the value. Every virtual key may
read a model's notes, and must not be able to test guesses of a short key, or of the secret behind the HMAC. So the key of
the HMAC is derived from the secret with scrypt.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from functools import cached_property
from typing import Any

_SALT = b"rhpds.litellm_virtual_keys/fingerprint/1"


class Fingerprints:
    """Makes fingerprints with one `secret`. The same value has another fingerprint in another field or entry."""

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError("the secret for fingerprints is empty; set it, or the master key it falls back to.")
        self._secret = secret

    @cached_property
    def _key(self) -> bytes:
        return hashlib.scrypt(self._secret.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=32)

    def of(self, kind: str, entry: str, field: str, value: Any) -> str:
        """Return 32 hexadecimal digits for `value`, which may be anything that JSON can represent."""
        message = json.dumps([kind, entry, field, value], sort_keys=True).encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()[:32]
