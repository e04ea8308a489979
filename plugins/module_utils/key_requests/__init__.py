# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Where requests for keys are kept.

`record` is a request and what may become of it, pure. `document` writes a record as JSON, `secret` as a Kubernetes
Secret. `base` is the interface of a store; `directory` keeps records in files, `kubernetes_secrets` in a namespace.
"""

from __future__ import annotations
