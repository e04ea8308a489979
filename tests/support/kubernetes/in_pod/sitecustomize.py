# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Python reads this before a program begins that has this folder in PYTHONPATH: it finds its pod's service account in POD_SERVICE_ACCOUNT."""

import os

import kubernetes.config.incluster_config as in_cluster

in_cluster.SERVICE_TOKEN_FILENAME = os.path.join(os.environ["POD_SERVICE_ACCOUNT"], "token")
in_cluster.SERVICE_CERT_FILENAME = os.path.join(os.environ["POD_SERVICE_ACCOUNT"], "ca.crt")
