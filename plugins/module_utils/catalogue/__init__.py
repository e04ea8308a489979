# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The gateway's catalogue: which models it serves, and with which credentials of their providers.

`entry` defines models and credentials, `fingerprint` and `compare` find out whether one is as wanted, `plan` decides (all
pure); `api` talks to LiteLLM, `reconcile` carries plans out, `results` is what modules return, `options` is what they accept.
"""
