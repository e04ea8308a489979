# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Call a model with each of many keys and print the list of HTTP statuses. Reads {"url", "model", "keys"} as JSON from standard input.

The demo calls with every key in half a second this way; a task for each key would take ten.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request


def status(url: str, model: str, key: str) -> int:
    """Return the HTTP status of a chat with `key`."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}]}
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


if __name__ == "__main__":
    call = json.load(sys.stdin)
    print(json.dumps([status(call["url"], call["model"], key) for key in call["keys"]]))
