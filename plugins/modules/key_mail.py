#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Mail people their keys and decisions."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_mail
short_description: Mail people their virtual keys, and the decisions on their requests
version_added: 2.0.0
description:
  - Sends mails as text and as HTML, in English, German or Spanish or from custom templates, all over one connection to an
    SMTP server.
  - Every mail goes to one recipient. A refused mail does not stop the others. The module fails at the end if a mail was not
    sent, and RV(mails) says which and why.
  - The connection is encrypted and the server's certificate is checked. Without encryption nothing is sent to another host,
    unless O(allow_unencrypted) is set.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.mail
  - rhpds.litellm_virtual_keys.notices
  - rhpds.litellm_virtual_keys.notice_texts
attributes:
  check_mode:
    support: full
    details:
      - Mails are composed and checked, but not sent.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Every run sends the mails. The caller records what was sent. A repeated mail has the same Message-ID.
seealso:
  - module: rhpds.litellm_virtual_keys.virtual_keys
notes:
  - Keys are hidden in Ansible's output. Set C(no_log=true) on the task nevertheless, because texts may be confidential.
  - If a connection breaks between a mail and the server's answer, the mail is sent again and may arrive twice.
"""

EXAMPLES = r"""
- name: Mail a user the key
  rhpds.litellm_virtual_keys.key_mail:
    host: smtp.example.com
    user: keys@example.com
    password: "{{ smtp_password }}"
    from: keys@example.com
    messages:
      - kind: approval
        to: ada@example.com
        id: 4711
        value: "{{ litellm_virtual_key }}"
        url: https://litellm.example.com
        models: [granite-3-2-8b-instruct]
        expires: "2026-12-31T18:00:00Z"
  no_log: true

- name: Decline a request in German, with a custom text from a file
  rhpds.litellm_virtual_keys.key_mail:
    messages:
      - kind: denial
        to: bob@example.com
        id: 4712
        language: de
        reason: Das Budget des Projekts ist erschöpft.
    templates:
      - kind: denial
        language: de
        text_path: "{{ playbook_dir }}/templates/denial.de.txt.j2"
        html_path: "{{ playbook_dir }}/templates/denial.de.html.j2"
"""

RETURN = r"""
mails:
  description: The result of each mail, in the order of O(messages).
  returned: success, and if mails were not sent
  type: list
  elements: dict
  contains:
    id:
      description: The id.
      type: str
    kind:
      description: The kind.
      type: str
    to:
      description: The recipient.
      type: str
    status:
      description: C(sent), C(refused) by the server, C(failed), or C(planned) in check mode.
      type: str
    reason:
      description: Why the mail was not sent, in the server's words if it gave any.
      type: str
    code:
      description: The SMTP code of the refusal, or null.
      type: int
    temporary:
      description:
        - Whether a later try may succeed. It is V(false) only if the server refused this mail for good, for its recipient or its
          content, or if the mail cannot be composed. Faults of settings, such as a wrong password, a sender that the server
          does not accept or a refused certificate, are V(true), because somebody can mend them.
      type: bool
    attempts:
      description: How often it was tried.
      type: int
    message_id:
      description: The Message-ID, the same for a mail that is sent again.
      type: str
counts:
  description: How many mails were sent, refused, failed and planned.
  returned: success, and if mails were not sent
  type: dict
code:
  description: Stable error code, C(not_sent) if mails were not sent, C(bad_input) if the options cannot be used.
  returned: failure
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.options import StrictModule
from ..module_utils.delivery import outbox
from ..module_utils.delivery.mailer import MAIL_SPEC, mailer_from


def send(module: AnsibleModule) -> dict[str, Any]:
    """Send the mails and return the module's result. Raises ValueError for options that cannot be used."""
    mailer = mailer_from(module.params)
    for warning in outbox.warnings_about(mailer.server):
        module.warn(warning)
    notices = [mailer.notice(message) for message in module.params["messages"]]
    return outbox.mails_result(mailer.send(notices, dry_run=module.check_mode))


def main() -> None:
    module = StrictModule(
        argument_spec={**outbox.MESSAGES_SPEC, **MAIL_SPEC},
        supports_check_mode=True,
    )
    outbox.exit_with_result(module, lambda: send(module))


if __name__ == "__main__":
    main()
