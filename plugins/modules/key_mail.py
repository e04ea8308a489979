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
  - The connection is encrypted and the server's certificate is checked. Nothing is sent without encryption, unless
    O(use_tls=none) is set.
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.attributes
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
requirements:
  - Python 3.11 or newer on the host that runs the module
  - the Python library Jinja2 on that host, for O(templates)
options:
  messages:
    description:
      - The mails.
    type: list
    elements: dict
    required: true
    suboptions:
      kind:
        description:
          - V(approval) brings a key, V(denial) declines a request, V(review) asks a reviewer to decide, V(expiry) warns that a
            key ends, and V(custom) has the content of its template.
        type: str
        choices: [approval, denial, review, expiry, custom]
        required: true
      to:
        description: The address of the recipient.
        type: str
        required: true
      id:
        description:
          - The subject of the mail, for example the id of the request. Mails with the same kind, id and recipient have the
            same Message-ID.
        type: str
        required: true
      language:
        description: The language of this mail. The default is O(language).
        type: str
        choices: [en, de, es]
      value:
        description:
          - The key. Only for V(approval) and V(custom).
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
      reason:
        description: Why a request was denied or needs a decision.
        type: str
      purpose:
        description: With V(review), the purpose of the key.
        type: str
      note:
        description: A custom paragraph, for example where to find help. Required for an V(approval) without O(messages[].value).
        type: str
      commands:
        description: Commands to show, for example those that a reviewer runs to decide.
        type: list
        elements: str
      variables:
        description: More values for a template. Do not put secrets here.
        type: dict
  language:
    description: The language of mails that do not set their own.
    type: str
    choices: [en, de, es]
    default: en
  templates:
    description:
      - Custom texts for a kind of mail, in Jinja. They replace the built-in ones.
      - A template can use the mail's suboptions by their names, the entries of O(messages[].variables), and C(ends), the
        end of the key in readable form. These values are data, never templates, and are escaped in HTML.
      - Ansible fills in a template that is written in a playbook before the module sees it. Use a file instead, or mark the
        text with C(!unsafe).
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: The kind of mail that the template is for.
        type: str
        choices: [approval, denial, review, expiry, custom]
        required: true
      language:
        description: The language that the template is for. The default is all languages.
        type: str
        choices: [en, de, es]
      subject:
        description: The subject, on one line. Required for V(custom) mails, others have a built-in one.
        type: str
      text:
        description: The text. Set either this or O(templates[].text_path).
        type: str
      text_path:
        description: A file with the text.
        type: path
      html:
        description: The text in HTML. Without it and O(templates[].html_path), the mail is plain text.
        type: str
      html_path:
        description: A file with the text in HTML, instead of O(templates[].html).
        type: path
  sender:
    description:
      - The address that sends the mails.
      - When not set, the environment variable E(SMTP_FROM) is used.
    type: str
    default: noreply@example.com
    aliases: [from]
  host:
    description:
      - The SMTP server.
      - When not set, the environment variable E(SMTP_HOST) is used.
    type: str
    default: localhost
  port:
    description:
      - The port of the server. The default is 587, with O(use_tls=implicit) 465.
      - When not set, the environment variable E(SMTP_PORT) is used.
    type: int
  user:
    description:
      - The user who logs in. Without it the module does not log in.
      - When not set, the environment variable E(SMTP_USER) is used.
    type: str
  password:
    description:
      - The password of O(user).
      - When not set, the environment variable E(SMTP_PASSWORD) is used.
    type: str
  use_tls:
    description:
      - With V(starttls) the connection is encrypted right after the greeting, and given up if the server does not offer that.
      - With V(implicit) it is encrypted from the beginning.
      - With V(none) it is not encrypted, and everybody along the way can read passwords and keys.
      - V(true) means V(implicit) on port 465 and V(starttls) on any other, V(false) means V(none).
      - When not set, the environment variable E(SMTP_USE_TLS) is used.
    type: str
    default: "true"
  validate_certs:
    description: Whether to check the server's certificate. Set this to V(false) only for tests.
    type: bool
    default: true
  ca_path:
    description:
      - A file with the certificates of the authorities to trust, in PEM format. The default is the system's authorities.
    type: path
  timeout:
    description: How many seconds to wait for each answer of the server.
    type: float
    default: 30
  retries:
    description:
      - How often to try again if the server cannot be reached, closes the connection or defers a mail.
    type: int
    default: 3
  retry_delay:
    description:
      - How many seconds to wait before the first retry. The time doubles with each retry, up to 30 seconds.
    type: float
    default: 2
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
      description: Whether a later try may succeed.
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

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ..module_utils.common import email_address
from ..module_utils.delivery import mail, outbox

MESSAGE_SPEC: dict[str, dict[str, Any]] = {
    "kind": {"type": "str", "choices": list(mail.KINDS), "required": True},
    "to": {"type": "str", "required": True},
    "id": {"type": "str", "required": True},
    "language": {"type": "str", "choices": list(mail.LANGUAGES)},
    "value": {"type": "str", "no_log": True},
    "url": {"type": "str"},
    "alias": {"type": "str"},
    "user": {"type": "str"},
    "models": {"type": "list", "elements": "str"},
    "package": {"type": "str"},
    "expires": {"type": "str"},
    "email": {"type": "str"},
    "request_id": {"type": "str"},
    "reason": {"type": "str"},
    "purpose": {"type": "str"},
    "note": {"type": "str"},
    "commands": {"type": "list", "elements": "str"},
    "variables": {"type": "dict"},
}
TEMPLATE_SPEC: dict[str, dict[str, Any]] = {
    "kind": {"type": "str", "choices": list(mail.KINDS), "required": True},
    "language": {"type": "str", "choices": list(mail.LANGUAGES)},
    "subject": {"type": "str"},
    "text": {"type": "str"},
    "text_path": {"type": "path"},
    "html": {"type": "str"},
    "html_path": {"type": "path"},
}


def send(module: AnsibleModule) -> dict[str, Any]:
    """Send the mails and return the module's result. Raises ValueError for options that cannot be used."""
    params = module.params
    server = outbox.server_from(params)
    sender = email_address.parse_address(params["sender"], "sender")
    templates = [outbox.template_from(given) for given in params["templates"]]
    for warning in outbox.warnings_about(server):
        module.warn(warning)
    notices = [outbox.notice_from(message, params["language"]) for message in params["messages"]]
    return outbox.mails_result(outbox.send_notices(server, sender, notices, templates, dry_run=module.check_mode))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "messages": {"type": "list", "elements": "dict", "required": True, "options": MESSAGE_SPEC},
            "language": {"type": "str", "choices": list(mail.LANGUAGES), "default": "en"},
            "templates": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": TEMPLATE_SPEC,
                "mutually_exclusive": [("text", "text_path"), ("html", "html_path")],
                "required_one_of": [("text", "text_path")],
            },
            "sender": {
                "type": "str",
                "default": "noreply@example.com",
                "aliases": ["from"],
                "fallback": (env_fallback, ["SMTP_FROM"]),
            },
            "host": {"type": "str", "default": "localhost", "fallback": (env_fallback, ["SMTP_HOST"])},
            "port": {"type": "int", "fallback": (env_fallback, ["SMTP_PORT"])},
            "user": {"type": "str", "fallback": (env_fallback, ["SMTP_USER"])},
            "password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["SMTP_PASSWORD"])},
            "use_tls": {"type": "str", "default": "true", "fallback": (env_fallback, ["SMTP_USE_TLS"])},
            "validate_certs": {"type": "bool", "default": True},
            "ca_path": {"type": "path"},
            "timeout": {"type": "float", "default": 30},
            "retries": {"type": "int", "default": 3},
            "retry_delay": {"type": "float", "default": 2},
        },
        supports_check_mode=True,
    )
    try:
        result = send(module)
    except ValueError as error:
        module.fail_json(msg=str(error), code="bad_input", changed=False)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
