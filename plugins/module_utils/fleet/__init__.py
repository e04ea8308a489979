# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""All labs of a gateway at once: which are alive, which keys to reap, and whether a lab's class can begin.

`labs` summarises keys by lab, `live_labs` reads the list of labs that are alive, `verdicts` decides what to reap and
`reaping` does it; `preflight` decides whether a class can begin, and `trials` asks the gateway; `options` is what modules
accept.
"""
