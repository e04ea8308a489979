# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Modules of Ansible start twice as fast with this on PYTHONPATH: their source is compiled once for all of a test session.

Ansible sends each module as a zip of sources, which Python compiles anew for every task: about 0.12 s of 0.3. Here the code
is kept by the hash of its source, in the folder that ``LITELLM_VIRTUAL_KEYS_COMPILED`` names.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import os
import zipimport
from types import CodeType
from typing import Any

FOLDER = os.environ.get("LITELLM_VIRTUAL_KEYS_COMPILED", "")


def remember(compile_source: Any) -> Any:
    """`zipimport`'s own compiler, with a memory."""

    def compiled(pathname: str, source: bytes) -> CodeType:
        kept = os.path.join(FOLDER, hashlib.sha256(source).hexdigest())
        with contextlib.suppress(OSError), open(kept, "rb") as file:
            known: CodeType = marshal.load(file)
            return known
        code: CodeType = compile_source(pathname, source)
        unfinished = f"{kept}.{os.getpid()}"
        with contextlib.suppress(OSError):  # another user may have no right to the folder
            with open(unfinished, "xb") as file:
                marshal.dump(code, file)
            os.replace(unfinished, kept)
        return code

    return compiled


if FOLDER:
    zipimport._compile_source = remember(zipimport._compile_source)  # type: ignore[attr-defined]
