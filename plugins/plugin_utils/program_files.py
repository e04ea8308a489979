# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The files that a program is made of, on the controller."""

from __future__ import annotations

from pathlib import Path


def files_of(path: Path) -> list[Path]:
    """Return the files in a folder, but for what Python compiled, in their order; a file itself is the only one."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if "__pycache__" not in file.parts and file.is_file())
