# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What can be told of a secret without telling it: whether it is the one that was written last.

LiteLLM shows a provider's key masked, or not at all, so whether it has to be written again cannot be read there. So a
fingerprint is noted beside it: HMAC-SHA256 over the entry, the field and the value. Whoever may see a model's notes, as
every virtual key may, must not be able to try guesses, neither of a short key nor of the secret behind the HMAC. So the
HMAC is keyed, and its key is drawn from the secret with scrypt.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from functools import cached_property
from typing import Any

_SALT = b"rhpds.litellm_virtual_keys/fingerprint/1"


class Fingerprints:
    """Fingerprints under one `secret`: the same value in another field or entry has another one."""

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError("the secret for fingerprints is empty; set it, or the master key it falls back to.")
        self._secret = secret

    @cached_property
    def _key(self) -> bytes:
        return hashlib.scrypt(self._secret.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=32)

    def of(self, kind: str, entry: str, field: str, value: Any) -> str:
        """32 hexadecimal digits for `value`, which may be anything that JSON carries."""
        message = json.dumps([kind, entry, field, value], sort_keys=True).encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()[:32]
