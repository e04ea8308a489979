# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Options for reaching a LiteLLM gateway, which all modules that talk to one have in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - Python 3.11 or newer on the host that runs the module
  - the Python library requests on that host
options:
  url:
    description:
      - The address of the gateway, with its scheme, for example V(https://litellm.example.com).
      - If not set, the environment variable E(LITELLM_BASE_URL) is used.
    type: str
    required: true
  api_key:
    description:
      - A key that may manage the gateway's keys. This is usually the master key.
      - If not set, the environment variable E(LITELLM_MASTER_KEY) is used, and then E(LITELLM_API_KEY).
    type: str
    required: true
    aliases:
      - master_key
  validate_certs:
    description:
      - Whether to check the gateway's certificate.
      - Set this to V(false) only for tests. For a private authority, use O(ca_path) instead.
    type: bool
    default: true
  ca_path:
    description:
      - A file with the certificates of the authorities to trust, in PEM format.
      - If not set, the file that the environment variable E(REQUESTS_CA_BUNDLE) names is used, and else the authorities
        that the machine trusts, as M(ansible.builtin.uri) does. Those are in OpenSSL's default place, or where
        E(SSL_CERT_FILE) and E(SSL_CERT_DIR) say.
    type: path
  client_cert:
    description:
      - A file with the client certificate for the gateway, in PEM format.
      - The file may hold the private key as well. O(client_key) is then not needed.
    type: path
  client_key:
    description:
      - A file with the private key for O(client_cert), in PEM format.
    type: path
  key_header_name:
    description:
      - The HTTP header in which keys are sent, those of users as well.
      - Set this to the C(litellm_key_header_name) in the C(general_settings) of LiteLLM's configuration, if there is one.
        Such a gateway finds no key in any other header, and answers HTTP 401.
      - If not set, the environment variable E(LITELLM_KEY_HEADER_NAME) is used.
    type: str
    default: Authorization
  timeout:
    description:
      - How many seconds one request to the gateway may take, from sending it to the last byte of the answer. Connecting
        takes up to 10 seconds beside that.
    type: float
    default: 30
  retries:
    description:
      - How often to retry a request that failed for a reason that may pass. Such reasons are a refused or broken
        connection, a timeout, an overload (HTTP 429), a database that the gateway has lost, and an error of a server in
        front of the gateway (HTTP 502, 503 and 504, and any other 5xx that is not JSON).
      - Only requests that are harmless to repeat are retried. Calls to models, which cost money, are not.
    type: int
    default: 3
  retry_delay:
    description:
      - How many seconds to wait before the first retry.
      - The time doubles with each retry, varies a little so that callers do not all return at once, and is never longer
        than 30 seconds.
    type: float
    default: 1
  parallel_calls:
    description:
      - How many requests to the gateway may be in progress at the same time.
    type: int
    default: 8
"""

    # For plugins that run on the controller, in addition to the above: there Ansible itself reads the environment.
    PLUGIN = r"""
options:
  url:
    env:
      - name: LITELLM_BASE_URL
  api_key:
    env: # the last one that is set wins
      - name: LITELLM_API_KEY
      - name: LITELLM_MASTER_KEY
  key_header_name:
    env:
      - name: LITELLM_KEY_HEADER_NAME
"""
