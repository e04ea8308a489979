# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Lookup: an archive of several files and folders, which is copied in one step."""

from __future__ import annotations

DOCUMENTATION = r"""
name: files_archive
short_description: An archive of several files and folders
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Returns a ZIP archive of files on the controller, in base64. To copy it and unpack it takes one task each, however many files there are;
    the module M(ansible.builtin.copy) takes a task's time for every single one.
options:
  _terms:
    description: Paths of files and folders below O(root). Folders are taken with all that is in them but C(__pycache__).
    required: true
  root:
    description: The absolute path of the folder that the names in the archive begin in.
    type: path
    required: true
  prefix:
    description: A folder in the archive that everything is put in.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Copy a program in one step
  ansible.builtin.copy:
    content: "{{ lookup('rhpds.litellm_virtual_keys.files_archive', 'program', root=role_path ~ '/files') }}"
    dest: /opt/program.zip.b64
    mode: "0600"
"""

RETURN = r"""
_raw:
  description: The archive, in base64.
  type: list
  elements: str
"""

import base64
import io
import zipfile
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
            archive = archive_of(Path(self.get_option("root")), [str(term) for term in terms], self.get_option("prefix"))
        except OSError as error:
            raise AnsibleLookupError(f"files_archive: {quoted(str(error.filename))} cannot be read: {error.strerror}.") from None
        return [base64.b64encode(archive).decode()]


def archive_of(root: Path, names: list[str], prefix: str = "") -> bytes:
    """Return a ZIP archive of files and folders below `root`, the same for the same contents. Raises OSError."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            for file in files_of(root / name):
                archive.writestr(zipfile.ZipInfo(str(Path(prefix, file.relative_to(root)))), file.read_bytes(), zipfile.ZIP_DEFLATED)
    return content.getvalue()
