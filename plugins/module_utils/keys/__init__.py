# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Virtual keys: mint, change, rotate and delete them, one or a lab at a time.

`key` defines a key, `derive` computes its value, `limits` reads what a caller wants, `plan` decides (all pure);
`api` talks to LiteLLM, `reconcile` carries plans out, `results` is what modules return, `options` is what they accept.
`lab` says which keys belong to a lab, `orphan` is the reaper's mark on a key, `known_values` finds values already delivered.
"""
