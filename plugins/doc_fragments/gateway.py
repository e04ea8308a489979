# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""How to reach a LiteLLM gateway: the options that every module which talks to one has in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - Python 3.11 or newer on the host that runs the module
  - the Python library requests on that host
options:
  url:
    description:
      - Where the gateway answers, with its scheme, for example V(https://litellm.example.com).
      - When not set, the environment variable E(LITELLM_BASE_URL) is used.
    type: str
    required: true
  api_key:
    description:
      - A key with which the gateway lets its caller administer keys. This is usually the master key.
      - When not set, the environment variable E(LITELLM_MASTER_KEY) is used, and after it E(LITELLM_API_KEY).
    type: str
    required: true
    aliases:
      - master_key
  validate_certs:
    description:
      - Whether to check the gateway's certificate.
      - Set this to V(false) only for tests. A private authority is better named in O(ca_path).
    type: bool
    default: true
  ca_path:
    description:
      - A file with the certificates of the authorities to trust, in PEM format.
      - When not set, the authorities that the library requests trusts are used.
    type: path
  client_cert:
    description:
      - A file with the certificate, in PEM format, by which the caller proves itself to the gateway.
      - The file may hold the private key as well. O(client_key) is then not needed.
    type: path
  client_key:
    description:
      - A file with the private key for O(client_cert), in PEM format.
    type: path
  timeout:
    description:
      - How many seconds one exchange with the gateway may take.
    type: float
    default: 30
  retries:
    description:
      - How often to try again when an exchange failed for a reason that may pass. That is a refused or broken connection, a
        timeout, an overload (HTTP 429), a database that the gateway has lost, and an error of a server before the gateway
        (HTTP 5xx that is no JSON).
      - Only exchanges that are harmless to repeat are tried again. Calls of models, which cost, are not.
    type: int
    default: 3
  retry_delay:
    description:
      - How many seconds to wait before the first further try.
      - The time doubles with each further try, varies a little so that callers do not return together, and is
        never longer than 30 seconds.
    type: float
    default: 1
  parallel_calls:
    description:
      - How many exchanges with the gateway may be under way at the same time.
    type: int
    default: 8
"""

    # For plugins that run on the controller, beside the one above: there Ansible itself looks into the environment.
    PLUGIN = r"""
options:
  url:
    env:
      - name: LITELLM_BASE_URL
  api_key:
    env: # the last one that is set wins
      - name: LITELLM_API_KEY
      - name: LITELLM_MASTER_KEY
"""
