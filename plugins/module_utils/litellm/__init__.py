# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Talking to a LiteLLM gateway: the HTTP client, its errors, and the options that name a gateway.

`client` sends requests, one or several at a time; `errors` has an exception for each kind of failure; `options` holds
the argument specs that all modules share, and ends a module with a result or an error; `models` finds out which models
are served; `notes` names what the collection writes into LiteLLM's metadata.
"""
