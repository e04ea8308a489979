# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The options of actions that work on the queue of requests: the store, the gateway, and the ways to people."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  store:
    description: Where requests are kept, in the options of the module M(rhpds.litellm_virtual_keys.key_request).
    type: dict
  gateway:
    description:
      - The gateway and the secret that values of keys are derived from, in the options of the module
        M(rhpds.litellm_virtual_keys.virtual_keys) with the same names, C(proof) and its companions among them.
    type: dict
  mail:
    description: The mail server and the texts, in the options of the module M(rhpds.litellm_virtual_keys.key_mail).
    type: dict
  delivery:
    description: How keys reach people.
    type: dict
    suboptions:
      methods:
        description:
          - The methods. Each key is delivered by all of them.
          - With V(kubernetes_secret) alone, its owner gets a mail that names the Secret and the end of the key.
          - With V(sealed), which excludes V(mail), the key is encrypted and kept beside the request, and its owner gets a mail with a link
            that opens it once. It needs O(delivery.portal_url) and the Python library cryptography where Ansible runs.
        type: list
        elements: str
        choices: [mail, kubernetes_secret, sealed]
        default: [mail]
      url:
        description: The address of the gateway that people are told. The default is the address of O(gateway).
        type: str
      vendors:
        description: The vendors whose environment variables a Secret holds.
        type: list
        elements: str
        default: [openai, anthropic, google, cohere, huggingface, anyscale, vectara, litellm]
      vendor_paths:
        description: The path on the gateway for a vendor, if it differs from the usual one.
        type: dict
        default: {}
      namespace:
        description:
          - The namespace of the Secrets, which V(kubernetes_secret) needs. It is one of their own, because whoever decides on requests
            may read everything in the namespace in which these are kept.
        type: str
      allow_shared_namespace:
        description: Whether O(delivery.namespace) may be the namespace in which requests are kept.
        type: bool
        default: false
      secret_prefix:
        description:
          - What the names of Secrets begin with. The alias of the key follows, in small letters, digits and hyphens. Names like those
            of requests, C(llm-key-request-...), are refused.
        type: str
        default: llm-virtual-key-
      mail_note:
        description: A note in mails that bring a key.
        type: str
        default: ''
      mail_include_value:
        description:
          - Whether mails hold the key. If not, they name its Secret with V(kubernetes_secret), and otherwise O(delivery.mail_note) says
            where it is.
        type: bool
        default: true
      portal_url:
        description: The https address of the portal, on which links to sealed keys begin.
        type: str
        default: ''
      box_lifetime:
        description: For how long a link to a sealed key works, at most. It never works longer than its key.
        type: str
        default: 7d
      kubernetes:
        description:
          - How to reach the Kubernetes API, with C(kubeconfig), C(context), C(host), C(api_key), C(ca_cert) and
            C(validate_certs).
        type: dict
        default: {}
      force_conflicts:
        description: Whether to take over fields of a Secret that another program manages.
        type: bool
        default: false
  webhooks:
    description:
      - Where notices are posted as well, in the words of O(rhpds.litellm_virtual_keys.key_webhook#module:targets). A channel gets
        the notices of its C(kinds), V(review), V(renewal) and V(denial) from a pass and V(expiry) from the warnings before keys end.
    type: list
    elements: dict
    default: []
  config_file:
    description:
      - The C(config.yaml) of the LLM Key Requestor. What neither other options nor the environment say is taken from its C(litellm),
        C(smtp), C(approval), C(approval_plugins) and C(kubernetes). What only its web service needs is not used, and entries that
        nobody knows are warned of.
      - Its texts are never templated, so the rule C(expression) cannot stand there.
      - When not set, the environment variable E(CONFIG_FILE) is used, and after it E(CONFIG), which is a path or the YAML itself.
    type: path
  wait:
    description: How many seconds to wait for a pass over the same store to end.
    type: float
    default: 120
notes:
  - Set C(no_log=true) on the task, because its arguments hold secrets.
"""
