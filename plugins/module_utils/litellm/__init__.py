# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Talking to a LiteLLM gateway: the HTTP client, its errors, and the options that name a gateway.

`client` sends requests, several at a time where asked; `errors` says what can go wrong; `options` holds the argument
specs that all modules share and ends a module with a result or an error; `models` knows which models are served;
`notes` names what the collection writes into LiteLLM's metadata.
"""
