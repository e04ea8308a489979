# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The simplest program that sends given mails: one connection, no checks. Its time is the limit to compare with.

python bare_mails.py < {"host": ..., "port": ..., "ca_path": ..., "mails": [[sender, recipient, content], ...]}
"""

from __future__ import annotations

import json
import smtplib
import ssl
import sys


def main() -> None:
    job = json.load(sys.stdin)
    with smtplib.SMTP(job["host"], job["port"], timeout=60) as connection:
        connection.starttls(context=ssl.create_default_context(cafile=job["ca_path"]))
        for sender, recipient, content in job["mails"]:
            connection.sendmail(sender, [recipient], content)


if __name__ == "__main__":
    main()
