# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Lookup: the certificates in a directory, checked and joined."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ca_certificates
short_description: Return the certificates in a directory as one PEM text
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Reads the files C(*.crt) and C(*.pem) of a directory on the controller, in the order of their names, and returns all
    certificates in them as one PEM text, each once. A file may contain several certificates, or one in DER.
  - It is an error if a directory has no such file, or if a file has no certificate, an unreadable one, or a private key.
options:
  _terms:
    description: Directories.
    type: list
    elements: path
    required: true
"""

EXAMPLES = r"""
- name: Trust the company's authorities
  ansible.builtin.copy:
    content: "{{ lookup('rhpds.litellm_virtual_keys.ca_certificates', 'files/authorities') }}"
    dest: /etc/pki/ca-trust/source/anchors/company.pem
    mode: "0644"
"""

RETURN = r"""
_raw:
  description: One PEM text per directory.
  type: list
  elements: str
"""

import re
import ssl
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..plugin_utils import options

SUFFIXES = (".crt", ".pem")
PEM = re.compile(r"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----.+?-----END (?:TRUSTED |X509 )?CERTIFICATE-----", re.DOTALL)


def certificates(path: Path) -> list[str]:
    """Return the certificates in a file, each as PEM. Raises ValueError that continues the sentence after the file's name."""
    content = path.read_bytes()
    if b"PRIVATE KEY-----" in content:
        raise ValueError("holds a private key, which has no place among certificates to trust: take it away")
    found = PEM.findall(content.decode("ascii", errors="replace")) or [ssl.DER_cert_to_PEM_cert(content).strip()]
    for each in found:
        try:
            ssl.create_default_context(cadata=each)
        except (ssl.SSLError, ValueError) as error:
            raise ValueError(f"is no certificate in PEM or DER ({getattr(error, 'reason', None) or 'it cannot be decoded'})") from None
    return found


def bundle(directory: Path) -> str:
    """Return all certificates in a directory as one PEM text, each once. Raises AnsibleLookupError."""
    if not directory.is_dir():
        raise AnsibleLookupError(f"{directory} is no directory: name one on the controller that holds *.crt or *.pem")
    try:
        files = sorted(path for path in directory.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise AnsibleLookupError(f"{directory} cannot be read ({error.strerror}): make it a directory that this user may read") from None
    if not files:
        raise AnsibleLookupError(f"{directory} holds neither *.crt nor *.pem: put the authorities' certificates there, or name no directory")
    found: dict[str, None] = {}
    for path in files:
        try:
            found.update(dict.fromkeys(certificates(path)))
        except OSError as error:
            raise AnsibleLookupError(f"{path} cannot be read ({error.strerror}): make it a file that this user may read") from None
        except ValueError as error:
            raise AnsibleLookupError(f"{path} {error}") from None
    return "\n".join(found) + "\n"


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        try:
            options.check_option_names(kwargs)
        except ValueError as error:
            raise AnsibleLookupError(f"ca_certificates: {error}") from None
        return [bundle(Path(self._loader.path_dwim(term))) for term in terms]
