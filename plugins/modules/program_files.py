#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Put the files of a program in place, all in one step."""

from __future__ import annotations

DOCUMENTATION = r"""
module: program_files
short_description: Put the files of a program in place, all in one step
version_added: 2.0.0
description:
  - Makes a folder hold the files of an archive, each with its content and mode. What is damaged or missing is repaired.
  - Files that the archive does not have stay as they are.
  - It takes one run on the host however many files there are, where M(ansible.builtin.copy) takes two for each.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The diff has names, modes and digests of files, not their contents.
  idempotent:
    support: full
requirements:
  - Python 3.9 or newer on the host that runs the module
options:
  path:
    description: The folder. It is made if the folder above it exists.
    type: path
    required: true
  archive:
    description: The files, as the lookup P(rhpds.litellm_virtual_keys.files_archive#lookup) returns them.
    type: str
    required: true
  mode:
    description: The mode of the files, as octal digits in quotes.
    type: str
    default: "0600"
  directory_mode:
    description: The mode of the folder and of the folders in it, as octal digits in quotes.
    type: str
    default: "0700"
seealso:
  - plugin: rhpds.litellm_virtual_keys.files_archive
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Install a program of several files
  rhpds.litellm_virtual_keys.program_files:
    path: /opt/program
    archive: "{{ lookup('rhpds.litellm_virtual_keys.files_archive', 'program', root=role_path ~ '/files') }}"
    mode: "0644"
    directory_mode: "0755"
"""

RETURN = r"""
files:
  description: The files and folders that were made or repaired, or would be in check mode.
  returned: success
  type: list
  elements: str
code:
  description: Stable error code, C(bad_input) if the options cannot be used, C(not_written) if a file could not be written.
  returned: failure
  type: str
"""

import re
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.installed_files import entries_of, present, put
from ..module_utils.common.options import StrictModule
from ..module_utils.common.printable import quoted


def mode_of(option: str, text: str) -> int:
    """Return the mode that an option gives in octal digits. Raises ValueError."""
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise ValueError(f"{option} is {quoted(text)}; give three octal digits in quotes, for example '0644'.")
    return int(text, 8)


def put_program(module: AnsibleModule) -> dict[str, Any]:
    """Put the files in place and return the module's result. Raises ValueError for options that cannot be used, and OSError."""
    params = module.params
    modes = mode_of("mode", params["mode"]), mode_of("directory_mode", params["directory_mode"])
    wanted = entries_of(params["archive"], Path(params["path"]), *modes)
    there = present(wanted)
    changes = [entry for entry in wanted if there.get(entry.path) != entry]
    if not module.check_mode:
        put(changes, there)
    before = "".join(str(there[entry.path]) for entry in changes if entry.path in there)
    diff = {"diff": {"before": before, "after": "".join(map(str, changes))}} if module._diff else {}
    return {"changed": bool(changes), "files": [str(entry.path) for entry in changes], **diff}


def main() -> None:
    module = StrictModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "archive": {"type": "str", "required": True, "no_log": True},  # kilobytes that nobody reads
            "mode": {"type": "str", "default": "0600"},
            "directory_mode": {"type": "str", "default": "0700"},
        },
        supports_check_mode=True,
    )
    try:
        result = put_program(module)
    except ValueError as error:
        module.fail_json(msg=str(error), code="bad_input", changed=False)
    except OSError as error:
        module.fail_json(msg=f"{quoted(str(error.filename))} cannot be written: {error.strerror}.", code="not_written")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
