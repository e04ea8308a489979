# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Start the portal: `python -m portal`, with the settings in the environment (see settings.py). It ends with SIGTERM.

It exits with 1, and one sentence on standard error, if the settings cannot be used.
"""

from __future__ import annotations

import os
import sys

import uvicorn
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreError

from .app import create_app
from .connections import KEEP_ALIVE_SECONDS, LARGEST_HEADERS, Connections, possible_connections
from .link_mail import mails_of
from .log_lines import TEXT, configure_logging
from .memory import keep_little_memory, overwrite_freed_memory
from .settings import load_settings

SHUTDOWN_SECONDS = 10
"""How long open calls may take when the service ends."""
MORE_CONNECTIONS = 50
"""How many connections with calls there may be beyond the number at which those without one make room."""


def main() -> int:
    """Serve until a signal comes, and return the exit status."""
    overwrite_freed_memory()
    keep_little_memory()
    configure_logging(os.environ.get("PORTAL_LOG_FORMAT", TEXT))  # for what is said of the settings
    try:
        settings, site = load_settings()
        configure_logging(settings.log_format, persons=settings.log_persons, secret=settings.secret.get_secret_value())
        app = create_app(settings, site, mails=mails_of(settings))
    except (StoreError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    most = possible_connections(settings.most_connections)
    uvicorn.run(
        app,
        http=Connections(most=most, seconds=settings.header_seconds),  # type: ignore[arg-type]  # it is called as a class would be
        ws="none",
        loop=f"{__package__}.connections:new_event_loop",
        host=settings.host,
        port=settings.port,
        ssl_certfile=settings.tls_certificate_file or None,
        ssl_keyfile=settings.tls_key_file or None,
        proxy_headers=False,  # identity/proxy.py reads them
        access_log=False,  # addresses and what people searched for do not belong into a log
        server_header=False,
        log_config=None,
        limit_concurrency=most + MORE_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=LARGEST_HEADERS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
