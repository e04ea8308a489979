# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The portal as a process, and Dex: people sign in with their groups, keys change, and Dex goes away."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.dex import CLIENT, SECRET, DexPerson, DexProcess, free_port, running_dex
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import PortalFactory, PortalProcess
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal_visitor import PortalVisitor

PEOPLE = [
    DexPerson("ada", "ada@example.com", ["staff"]),
    DexPerson("rita", "rita@example.com", ["staff", "reviewers"]),
    DexPerson("otto", "otto@example.com", ["operators"]),
    DexPerson("mallory", "boss@example.com", ["reviewers"], verified=False),
]


def sign_in(portal: PortalProcess, dex: DexProcess, name: str, status: int = 303) -> tuple[PortalVisitor, str]:
    """Return somebody who came back from Dex, and where the portal sent them, or its page."""
    visitor = PortalVisitor(portal)
    back = dex.sign_in(_away(visitor), name)
    assert back.startswith(f"{portal.url}/oidc/callback?")
    answer = visitor.session.get(back, timeout=30, allow_redirects=False)
    assert answer.status_code == status, answer.text
    return visitor, str(answer.headers.get("location", answer.text))


def _away(visitor: PortalVisitor) -> str:
    """Return where the portal sends somebody to sign in."""
    answer = visitor.session.get(f"{visitor.portal.url}/oidc/sign-in?next=/mine", timeout=30, allow_redirects=False)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def roles(visitor: PortalVisitor) -> list[str]:
    answer = visitor.session.get(f"{visitor.portal.url}/api/v1/me", timeout=30)
    return list(answer.json()["roles"]) if answer.status_code == 200 else []


def test_people_sign_in_at_dex(tmp_path: Path, run_portal: PortalFactory) -> None:
    port = free_port()
    with running_dex(tmp_path, PEOPLE, f"http://127.0.0.1:{port}/oidc/callback") as dex:
        portal = run_portal(
            PORTAL_PORT=str(port),
            PORTAL_IDENTITY="basic,oidc",
            PORTAL_SECRET="s" * 40,
            PORTAL_OIDC_ISSUER=dex.issuer,
            PORTAL_OIDC_CLIENT_ID=CLIENT,
            PORTAL_OIDC_CLIENT_SECRET=SECRET,
            PORTAL_OIDC_SCOPES="openid email profile groups",
            PORTAL_ADMINS="boss@example.com",
            PORTAL_REVIEWER_GROUPS="reviewers",
            PORTAL_OPERATOR_GROUPS="operators",
        )
        ada, where = sign_in(portal, dex, "ada")
        assert (where, roles(ada)) == ("/mine", ["person"])
        request_id = re.findall(r"/mine/([0-9a-f-]+)", ada.send("/ask", {"what": "other", "other": "granite", "purpose": "A demo", "agree": "yes"}))[0]
        rita, _where = sign_in(portal, dex, "rita")
        otto, _where = sign_in(portal, dex, "otto")
        assert (roles(rita), roles(otto)) == (["person", "reviewer"], ["operator", "person"])
        assert "Your role does not allow this" in otto.send(f"/admin/{request_id}/deny", {"reason": "no"}, status=403)
        assert rita.approve(request_id).startswith(f"/admin/{request_id}")

        # Nobody becomes the boss by an address that Dex has not verified.
        _mallory, page = sign_in(portal, dex, "mallory", status=403)
        assert "has not verified your e-mail address" in page

        # Dex goes away, and comes back with other keys. Who is signed in does not notice.
        away, stranger = PortalVisitor(portal), PortalVisitor(portal)
        back = dex.sign_in(_away(away), "ada")
        dex.stop()
        answer = away.session.get(back, timeout=30, allow_redirects=False)
        assert answer.status_code == 503 and "does not answer" in answer.text
        assert roles(rita) == ["person", "reviewer"] and stranger.see("/ask")
        dex.start()
        again, where = sign_in(portal, dex, "ada")
        assert (where, roles(again)) == ("/mine", ["person"])
        assert again.send("/sign-out") == "/ask"
        assert roles(again) == []
    log = portal.log.read_text()
    assert '"event": "signed_in", "who": "rita@example.com", "method": "oidc"' in log
    assert SECRET not in log and "Traceback" not in log and "code=" not in log
