# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The name and format under which the collection keeps its own notes in LiteLLM's metadata of keys, models and credentials."""

from __future__ import annotations

NOTES_NAME = "litellm_virtual_keys"
NOTES_FORMAT = 1
