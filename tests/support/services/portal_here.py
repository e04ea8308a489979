# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The portal in this process, on a port of loopback, so that a test can look into it and let its store fail."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mail import Mail
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mailer import mailer_from
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.app import create_app
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.catalogue import site_catalogue
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.link_mail import MailThread
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.settings import Settings
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.signing import Signer
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import PASSWORD
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal_town import CONFIG, Town
from fastapi import FastAPI

ADMIN_ADDRESS = "boss@example.com"
START_SECONDS = 30


class NoMails(MailThread):
    """Sends nothing: the test makes its links itself."""

    def __init__(self) -> None:
        super().__init__(mailer_from({}, {}))

    def send(self, mail: Mail) -> None:
        pass


class TownHere(Town):
    """A portal in this process, with its store."""

    def __init__(self, url: str, store: DirectoryStore, app: FastAPI) -> None:
        super().__init__(url, store)
        self.app = app

    @property
    def signer(self) -> Signer:
        """What signs links and sessions."""
        found: Signer = self.app.state.signer
        return found

    def link(self, purpose: str, email: str, **content: Any) -> str:
        """Return a link as it would be mailed."""
        return self.address(f"/link?t={self.signer.sign(purpose, {'email': email, **content})}")


@contextmanager
def portal_here(folder: Path, **settings: Any) -> Iterator[TownHere]:
    """Run a portal with requests in `folder` while the block runs."""
    store = DirectoryStore(str(folder / "requests"))
    usual = {"admin_password": PASSWORD, "admins": ADMIN_ADDRESS, "secret": "s" * 40, "identity": "basic,link", "listing_seconds": 0.1}
    site, _warnings = site_catalogue(CONFIG["models"], CONFIG["featured_models"])
    app = create_app(Settings(**{**usual, **settings}), site, store=store, mails=NoMails())
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, proxy_headers=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + START_SECONDS
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline, "the portal did not start"
            time.sleep(0.02)
        yield TownHere(f"http://127.0.0.1:{listener.getsockname()[1]}", store, app)
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        listener.close()
