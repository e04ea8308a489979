# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The portal as a process that dies at a step, with SIGKILL: `python -m ... STEP`.

A step is the moment before or after a file is renamed or a mail is sent, and the moment before a form is answered.
"""

from __future__ import annotations

import os
import smtplib
import sys
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal import __main__ as program
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.death import Death


def main(die_at: int) -> int:
    death = Death(die_at)

    def with_deadly_answers(*arguments: Any, **named: Any) -> Any:
        app = create_app(*arguments, **named)

        async def answering(scope: Any, receive: Any, send: Any) -> None:
            async def deadly_send(message: Any) -> None:
                if message["type"] == "http.response.start" and scope["method"] == "POST":
                    death.meet()
                await send(message)

            await app(scope, receive, deadly_send)

        return answering

    create_app = program.create_app
    program.create_app = with_deadly_answers  # type: ignore[assignment]
    death.wait_at((smtplib.SMTP, "sendmail"), (os, "rename"))
    return program.main()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
