# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Lookup: one digest of several files and folders."""

from __future__ import annotations

DOCUMENTATION = r"""
name: files_digest
short_description: One digest of several files and folders
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Returns the SHA-256 of the names and the contents of files on the controller. It differs if any of them does, so it names a release of
    software that is made of them. Folders are read with all that is in them but C(__pycache__).
options:
  _terms:
    description: Absolute paths of files and folders. Their own paths do not count, only the names in folders.
    required: true
"""

EXAMPLES = r"""
- name: Show the digest of a program
  ansible.builtin.debug:
    msg: "{{ lookup('rhpds.litellm_virtual_keys.files_digest', role_path ~ '/files/program', role_path ~ '/files/requirements.txt') }}"
"""

RETURN = r"""
_raw:
  description: The digest, 64 hexadecimal digits.
  type: list
  elements: str
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..module_utils.common.printable import quoted
from ..plugin_utils.program_files import files_of


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return [digest_of(Path(str(term)) for term in terms)]
        except OSError as error:
            raise AnsibleLookupError(f"files_digest: {quoted(str(error.filename))} cannot be read: {error.strerror}.") from None


def digest_of(paths: Iterable[Path]) -> str:
    """Return the digest of files and folders. Raises OSError."""
    whole = hashlib.sha256()
    for path in paths:
        for file in files_of(path):
            for part in (str(file.relative_to(path.parent)).encode(), file.read_bytes()):
                whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()
