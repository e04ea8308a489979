# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The environment variables that stand for options which are not given, in the order in which they are tried."""

from __future__ import annotations

URL_ENVIRONMENT = ("LITELLM_BASE_URL",)
API_KEY_ENVIRONMENT = ("LITELLM_MASTER_KEY", "LITELLM_API_KEY")
SECRET_ENVIRONMENT = ("LITELLM_DERIVATION_SECRET",)
KEY_HEADER_ENVIRONMENT = ("LITELLM_KEY_HEADER_NAME",)

SHORTEST_SECRET = 16
"""How many characters a secret has at least: every key's value follows from it, so it must not be guessed."""
