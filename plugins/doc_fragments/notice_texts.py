# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The language and the custom texts of mails and webhooks."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - the Python library Jinja2 on the host that runs the module, for O(templates)
options:
  language:
    description: The language of messages that do not set their own.
    type: str
    choices: [en, de, es]
    default: en
  templates:
    description:
      - Custom texts for a kind of mail, in Jinja. They replace the built-in ones.
      - A template can use the fields of the mail by their names, the entries of its C(variables), and C(ends), the
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
        choices: [approval, renewal, denial, review, expiry, custom]
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
"""
