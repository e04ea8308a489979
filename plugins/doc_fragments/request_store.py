# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The options that say where requests are kept, for every module that reads or writes them."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - Python 3.11 or newer on the host that runs the module
  - the Python library kubernetes 24.2 or newer on that host, for O(store=kubernetes)
options:
  store:
    description:
      - Where requests are kept.
      - With V(file), in a directory, one file each, which only the user of the module can read.
      - With V(kubernetes), in a namespace, one Secret each, with the names, labels and annotations of the LLM Key
        Requestor. There C(kubectl label) and C(kubectl annotate) can approve a request too.
    type: str
    choices: [file, kubernetes]
    default: file
  directory:
    description:
      - The directory, with O(store=file). It is created with mode 0700 when the first request is submitted. A directory
        that others can write to is refused, because whoever can write there can approve requests.
      - When not set, the environment variable E(LITELLM_KEY_REQUESTS_DIR) is used, and after it
        V(rhpds-litellm-virtual-keys/requests) below E(XDG_STATE_HOME) or V(~/.local/state).
    type: path
  namespace:
    description:
      - The namespace, with O(store=kubernetes).
      - When not set, the environment variable E(KUBERNETES_NAMESPACE) is used, after it the namespace of the
        kubeconfig's context, after it that of the pod's service account, and after it V(default).
    type: str
  kubeconfig:
    description:
      - The kubeconfig file. When not set, the environment variables E(K8S_AUTH_KUBECONFIG) and E(KUBECONFIG) are used,
        and after them V(~/.kube/config). Without any of these the pod's service account is used.
    type: path
  context:
    description:
      - The context of the kubeconfig. When not set, E(K8S_AUTH_CONTEXT) is used, and after it the current context.
    type: str
  host:
    description:
      - The address of the Kubernetes API, for example V(https://api.cluster.example.com:6443), instead of a kubeconfig.
        When not set, E(K8S_AUTH_HOST) is used.
    type: str
  api_key:
    description:
      - The token for the Kubernetes API, instead of the kubeconfig's. When not set, E(K8S_AUTH_API_KEY) is used.
    type: str
  ca_cert:
    description:
      - A file with the certificates of the authorities to trust, in PEM format. When not set, E(K8S_AUTH_SSL_CA_CERT)
        is used, and after it what the kubeconfig says.
    type: path
  validate_certs:
    description:
      - Whether to check the certificate of the Kubernetes API. When not set, E(K8S_AUTH_VERIFY_SSL) is used, and after
        it what the kubeconfig says, which is usually yes.
    type: bool
  timeout:
    description:
      - How many seconds one exchange with the Kubernetes API may take.
    type: float
    default: 30
"""

    # The action group, through which the options above can be given once for all modules.
    GROUP = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/rhpds.litellm_virtual_keys.key_requests) in C(module_defaults) to set the store once for all modules
        that read or write requests.
    support: full
    membership:
      - rhpds.litellm_virtual_keys.key_requests
"""
