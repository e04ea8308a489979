# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Whether a server could speak TLS with a certificate and a key. The role runs this file too, before it changes anything.

    python tls.py CERTIFICATE KEY NAME_OF_CERTIFICATE NAME_OF_KEY

It prints a sentence to standard error and exits with 1 if they cannot be used. It needs Python's standard library only.
"""

from __future__ import annotations

import ssl
import sys

MISMATCH = "KEY_VALUES_MISMATCH"


class _NeedsPassword(Exception):
    """The key is encrypted."""


def check_certificate(certificate: str, key: str, certificate_name: str, key_name: str) -> None:
    """Raise ValueError if a server could not use the files. The names are those of the settings that name the files."""
    for path, name in ((certificate, certificate_name), (key, key_name)):
        try:
            with open(path, "rb") as file:
                file.read(1)
        except OSError as error:
            raise ValueError(f"{name} is {path!r}, which cannot be read ({error.strerror}); name a file in PEM format that this user can read.") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(certificate)
    except ssl.SSLError:
        raise ValueError(f"{certificate_name} is {certificate!r}, which holds no certificate in PEM format; name a file that does.") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_refuse_password)
    except _NeedsPassword:
        raise ValueError(f"{key_name} is {key!r}, whose key needs a password; name a file with a key that does not.") from None
    except ssl.SSLError as error:
        if error.reason == MISMATCH:
            raise ValueError(
                f"The key in {key!r} does not belong to the first certificate in {certificate!r}; give {key_name} the file with the key of the certificate, "
                f"and have {certificate_name} begin with the certificate of the server itself."
            ) from None
        raise ValueError(f"{key_name} is {key!r}, which holds no private key in PEM format; name a file that does.") from None


def _refuse_password() -> str:
    raise _NeedsPassword


if __name__ == "__main__":
    try:
        check_certificate(*sys.argv[1:])
    except ValueError as refusal:
        sys.exit(str(refusal))
