# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Helpers for every wing: durations, names, addresses, text that is safe to print, private files, file locks.

This wing knows nothing of LiteLLM and needs only the standard library (and idna for international domain names).
"""
