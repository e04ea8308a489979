#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Post notices about keys and requests to webhooks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_webhook
short_description: Post notices about keys and requests to Slack, Teams, Mattermost or any other webhook
version_added: 2.0.0
description:
  - Posts each of O(messages) to each of O(targets) that takes its kind, with the texts of mails in the format of the service.
  - A refused notice does not stop the others. The module fails at the end if a notice was not posted, and RV(posts) says
    which and why.
  - Webhooks never carry keys. A message with a C(value) is not posted, and what looks like a key in any text is blanked out.
  - The addresses of webhooks are secrets. They are used by https only, redirections are not followed, and results and errors name
    O(targets[].name) and the host at most.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.notices
  - rhpds.litellm_virtual_keys.notice_texts
attributes:
  check_mode:
    support: full
    details:
      - Notices are composed and checked, but not posted.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Every run posts the notices. The caller records what was posted. A repeated notice has the same RV(posts[].notice_id), which
        is sent in the header C(Idempotency-Key).
requirements:
  - the Python library requests on the host that runs the module
options:
  targets:
    description:
      - The webhooks.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the webhook in results.
        type: str
        required: true
      url:
        description: Its address.
        type: str
        required: true
      format:
        description:
          - V(slack) for incoming webhooks of Slack, V(mattermost) for those of Mattermost.
          - V(teams) for a workflow of Microsoft Teams that starts when a webhook request is received. The notice is an Adaptive Card.
          - V(json) for an object with C(id), C(kind), C(subject), C(text) and the fields of the message.
        type: str
        choices: [slack, teams, mattermost, json]
        default: json
      kinds:
        description: The kinds of messages that the webhook takes. The default is all.
        type: list
        elements: str
        choices: [approval, renewal, denial, review, expiry, custom]
      language:
        description: The language for this webhook, whatever the messages set.
        type: str
        choices: [en, de, es]
      headers:
        description: More headers, for example C(Authorization). Their values are not shown.
        type: dict
        default: {}
      ca_path:
        description:
          - A file with the certificates of the authorities to trust, in PEM format. The default is the machine's authorities.
        type: path
      allow_unencrypted:
        description: Whether O(targets[].url) may be an http address of another host.
        type: bool
        default: false
  timeout:
    description: How many seconds to wait for an answer.
    type: float
    default: 30
  retries:
    description:
      - How often to try again if the service cannot be reached, is busy (HTTP 429) or out of order (HTTP 5xx). A service that is not
        reached by then is given up for the rest of the messages.
    type: int
    default: 3
  retry_delay:
    description:
      - How many seconds to wait before the first retry. The time doubles with each retry, up to 30 seconds, and is longer if the
        service asks for that (C(Retry-After)).
    type: float
    default: 2
seealso:
  - module: rhpds.litellm_virtual_keys.key_mail
notes:
  - If a connection breaks between a notice and the answer, the notice is posted again and may arrive twice.
"""

EXAMPLES = r"""
- name: Tell the reviewers' channel about a request
  rhpds.litellm_virtual_keys.key_webhook:
    targets:
      - name: reviewers
        format: slack
        url: "{{ slack_webhook_url }}"
        kinds: [review]
    messages:
      - kind: review
        id: 4711
        request_id: 4711
        email: ada@example.com
        models: [granite-3-2-8b-instruct]
        purpose: A course on retrieval
        commands: ["ansible-playbook rhpds.litellm_virtual_keys.approve -e request_id=4711"]
  no_log: true
"""

RETURN = r"""
posts:
  description: The result of each notice at each target, target by target, in the order of O(messages).
  returned: success, and if notices were not posted
  type: list
  elements: dict
  contains:
    target:
      description: The name of the webhook.
      type: str
    id:
      description: The id of the message.
      type: str
    kind:
      description: The kind.
      type: str
    to:
      description: The recipient, if the message has one.
      type: str
    status:
      description: C(sent), C(refused) by the service, C(failed), or C(planned) in check mode.
      type: str
    reason:
      description: Why the notice was not posted, in the service's words if it gave any.
      type: str
    code:
      description: The HTTP status of the refusal, or null.
      type: int
    temporary:
      description:
        - Whether a later try may succeed. It is V(false) only if the service refused this notice (HTTP 400, 413 and 422), or if it
          cannot be composed. A webhook that is gone is V(true), because somebody can replace it.
      type: bool
    attempts:
      description: How often it was tried. 0 if the webhook was given up before.
      type: int
    notice_id:
      description: An id that is the same for a notice that is posted again.
      type: str
counts:
  description: How many notices were sent, refused, failed and planned.
  returned: success, and if notices were not posted
  type: dict
code:
  description: Stable error code, C(not_sent) if notices were not posted, C(bad_input) if the options cannot be used.
  returned: failure
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.options import StrictModule
from ..module_utils.delivery import outbox, webhooks


def post(module: AnsibleModule) -> dict[str, Any]:
    """Post the notices and return the module's result. Raises ValueError for options that cannot be used."""
    params = module.params
    targets = [webhooks.target_from(given) for given in params["targets"]]
    templates = [outbox.template_from(given) for given in params["templates"]]
    notices = [outbox.notice_from(message, params["language"]) for message in params["messages"]]
    times = {name: params[name] for name in ("timeout", "retries", "retry_delay")}
    return webhooks.webhooks_result(webhooks.send_webhooks(targets, notices, templates, dry_run=module.check_mode, **times))


def main() -> None:
    module = StrictModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "required": True, "options": webhooks.TARGET_SPEC},
            **outbox.MESSAGES_SPEC,
            **outbox.TEXTS_SPEC,
            "timeout": {"type": "float", "default": 30},
            "retries": {"type": "int", "default": 3},
            "retry_delay": {"type": "float", "default": 2},
        },
        supports_check_mode=True,
    )
    outbox.exit_with_result(module, lambda: post(module))


if __name__ == "__main__":
    main()
