# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Requests for keys: asking, deciding, and the stores that keep them. Knows nothing of LiteLLM.

`record` is a request, `transitions` the changes it may go through, both without any I/O. `document` writes a record as
JSON, `secret` as a Kubernetes Secret. `base` is the interface of a store; `directory` keeps records in files,
`kubernetes_secrets` in a namespace. `desk` holds the operations that people perform, `changes` records many changes at
once, `results` shows both. Only `options` needs Ansible.
"""

from __future__ import annotations
