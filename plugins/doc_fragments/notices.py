# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The notices to send, for mails and webhooks alike."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - Python 3.11 or newer on the host that runs the module
options:
  messages:
    description:
      - The mails, or notices for webhooks.
    type: list
    elements: dict
    required: true
    suboptions:
      kind:
        description:
          - V(approval) brings a key, V(renewal) tells its new end, V(denial) declines a request, V(review) asks a reviewer to decide, V(expiry) warns that a
            key ends, and V(custom) has the content of its template.
        type: str
        choices: [approval, renewal, denial, review, expiry, custom]
        required: true
      to:
        description: The address of the recipient. Every mail needs it.
        type: str
        default: ''
      id:
        description:
          - The subject of the mail, for example the id of the request. Mails with the same kind, id and recipient have the
            same Message-ID.
        type: str
        required: true
      language:
        description: The language of this message. The default is O(language).
        type: str
        choices: [en, de, es]
      value:
        description:
          - The key. Only for mails of the kinds V(approval) and V(custom).
        type: str
      url:
        description: The address at which the recipient reaches the gateway.
        type: str
      alias:
        description: The alias of the key.
        type: str
      user:
        description: The user in the lab.
        type: str
      models:
        description: The models that the key can call, or that were asked for.
        type: list
        elements: str
      package:
        description: The subscription package.
        type: str
      expires:
        description: When the key ends, in ISO 8601, or V(never).
        type: str
      email:
        description: With V(review), the requester.
        type: str
      request_id:
        description: The id of the request.
        type: str
      namespace:
        description: The namespace of the Secret in O(messages[].secret_name).
        type: str
      secret_name:
        description: With V(approval), the Secret of Kubernetes in which the key is, if it is not in O(messages[].value).
        type: str
      link:
        description:
          - With V(approval), the link that opens the sealed key once, instead of O(messages[].value). Whoever has it has the key, so webhooks never carry it.
        type: str
      link_expires:
        description: Until when O(messages[].link) works, in ISO 8601.
        type: str
      reason:
        description: Why a request was denied or needs a decision.
        type: str
      purpose:
        description: With V(review), the purpose of the key.
        type: str
      note:
        description: A custom paragraph, for example where to find help. Required for an V(approval) without O(messages[].value), O(messages[].link)
          and O(messages[].secret_name).
        type: str
      commands:
        description: Commands to show, for example those that a reviewer runs to decide.
        type: list
        elements: str
      variables:
        description: More values for a template. Do not put secrets here.
        type: dict
"""
