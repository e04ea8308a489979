# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Single sign-on against a provider that lies: nobody is signed in by what is not valid, and everybody else by what is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.settings import load_settings
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.forger import CLIENT, SECRET, Forger, running_forger
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import AT, PASSWORD, KeptMails, TestPortal, Visitor
from joserfc.jwk import RSAKey

NOW = durations.parse_time(AT).timestamp()
MINUTE, HOUR = 60, 3600
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
ANOTHER = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
SAME_NAME = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
GROUPS = {"reviewer_groups": "deciders; cn=bosses,ou=groups", "operator_groups": "ops", "auditor_groups": "audit", "admin_groups": "root"}


@pytest.fixture
def forger() -> Iterator[Forger]:
    with running_forger(now=NOW, key=KEY) as running:
        yield running


@pytest.fixture
def make_site(forger: Forger, make_portal: Callable[..., TestPortal], mails: KeptMails) -> Callable[..., TestPortal]:
    def make(**settings: Any) -> TestPortal:
        usual = {"identity": "basic,link,oidc", "url": "https://portal", "secret": "s" * 40, "admins": "boss@example.com", "listing_seconds": 0}
        provider = {"oidc_issuer": forger.url, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
        return make_portal(mails=mails, **{**usual, **provider, **GROUPS, **settings})

    return make


@pytest.fixture
def site(make_site: Callable[..., TestPortal]) -> TestPortal:
    return make_site()


@pytest.fixture
def visitor(site: TestPortal) -> Visitor:
    return Visitor(site)


def go(visitor: Visitor, path: str, status: int = 303) -> str:
    """Return where a page sends the browser."""
    answer = visitor.client.get(path)
    assert answer.status_code == status, answer.text
    return str(answer.headers.get("location", answer.text))


def sign_on(visitor: Visitor, forger: Forger, next_path: str = "", status: int = 303) -> str:
    """Go to the provider and come back; return where the portal leads then, or its page."""
    away = go(visitor, f"/oidc/sign-in{next_path and '?next='}{next_path}")
    return go(visitor, forger.authorize(away).removeprefix("https://portal"), status)


def me(visitor: Visitor) -> dict[str, Any] | None:
    answer = visitor.client.get("/api/v1/me")
    return dict(answer.json()) if answer.status_code == 200 else None


# ------------------------------------------------------------------------------------------------------------ as it should be
def test_somebody_signs_in_asks_and_signs_out(site: TestPortal, visitor: Visitor, forger: Forger) -> None:
    page = visitor.see("/sign-in")
    assert "Sign in with your organization&#39;s account" in page and 'name="email"' in page
    assert sign_on(visitor, forger) == "/mine"
    assert me(visitor) == {"who": "ada@example.com", "email": "ada@example.com", "roles": ["person"], "method": "oidc"}
    where = visitor.send("/ask", {"what": "other", "other": "granite", "purpose": "A demo", "agree": "yes"})
    assert visitor.see(where.partition("?")[0]) and site.store.listing().records[0].verified_at == AT
    page = visitor.send("/sign-out", status=200)
    away = unescape(re.findall(r'http-equiv="refresh" content="0; url=([^"]+)"', page)[0])
    assert away.startswith(f"{forger.url}/logout?id_token_hint=ey") and "post_logout_redirect_uri=https%3A%2F%2Fportal%2Fsigned-out" in away
    assert me(visitor) is None and "ada@example.com" not in page
    assert "You are signed out here and at your organization." in visitor.see("/signed-out")
    assert sign_on(visitor, forger) == "/mine"  # the second time is as the first


@pytest.mark.parametrize(
    ("groups", "roles"),
    [
        (["deciders", "x"], ["person", "reviewer"]),
        ("cn=bosses,ou=groups", ["person", "reviewer"]),
        (["ops", "audit"], ["auditor", "operator", "person"]),
        (["root"], ["admin", "auditor", "operator", "person", "reviewer"]),
        (["Deciders", 7, None, {"a": 1}], ["person"]),
        ({"deciders": True}, ["person"]),
    ],
)
def test_groups_give_roles(visitor: Visitor, forger: Forger, groups: Any, roles: list[str]) -> None:
    forger.claims = {"groups": groups}
    assert sign_on(visitor, forger) == ("/mine" if roles == ["person"] else "/admin")
    assert (me(visitor) or {})["roles"] == roles


def test_what_each_role_may_do(site: TestPortal, forger: Forger) -> None:
    found = site.ask()
    may: dict[str, list[int]] = {}
    for group in ("deciders", "ops", "audit", "nothing"):
        forger.claims, visitor = {"groups": [group], "email": f"{group}@example.com"}, Visitor(site)
        sign_on(visitor, forger)
        api, page = f"/api/v1/admin/requests/{found.id}", f"/admin/{found.id}"
        csrf = {"csrf": visitor.token("/ask")}
        statuses = [visitor.client.get(path).status_code for path in (api, page, "/admin", "/api/v1/admin/audit", "/admin/audit.jsonl", "/metrics")]
        statuses += [visitor.client.post(f"{api}/retry").status_code, visitor.client.post(f"{page}/retry", data=csrf).status_code]
        statuses += [visitor.client.post(f"{api}/deny", json={"reason": ""}).status_code]
        statuses += [visitor.client.post("/admin/several", data={**csrf, "action": "approve"}).status_code]
        statuses += [visitor.client.post(f"{page}/deny", data={**csrf, "reason": ""}).status_code]
        may[group] = statuses
        shown = visitor.client.get("/admin").text
        assert ("several-reason" in shown, "audit.jsonl" in shown) == (group == "deciders", group == "audit")
        assert ("decide-one" in shown, f"approve-{found.id}" in shown) == ((group == "deciders",) * 2)
    # api     page and list   audit of api and page   metrics   retry by api and page   deny by api, several, deny
    assert may == {
        "deciders": [200, 200, 200, 403, 403, 403, 403, 403, 422, 422, 422],
        "ops": [200, 200, 200, 403, 403, 200, 409, 409, 403, 403, 403],
        "audit": [200, 200, 200, 200, 200, 403, 403, 403, 403, 403, 403],
        "nothing": [403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403],
    }
    assert site.store.listing().records[0].state == "pending"


def test_only_members_of_groups_may_ask(make_site: Callable[..., TestPortal], forger: Forger) -> None:
    site = make_site(requester_groups="staff", identity="oidc")
    page = sign_on(Visitor(site), forger, status=403)
    assert "Your account may not use this site" in page
    forger.claims = {"groups": ["audit"]}
    auditor = Visitor(site)
    assert sign_on(auditor, forger) == "/admin"
    assert (me(auditor) or {})["roles"] == ["auditor"]
    assert "Sign out" in auditor.see("/admin") and auditor.see("/mine", 401)
    forger.claims = {"groups": ["staff"]}
    assert sign_on(Visitor(site), forger) == "/mine"


def test_other_settings_count_for_sessions_that_there_are(make_site: Callable[..., TestPortal], forger: Forger) -> None:
    forger.claims = {"groups": ["deciders"]}
    before = Visitor(make_site())
    sign_on(before, forger)
    after = Visitor(make_site(reviewer_groups="others"))
    after.client.cookies = before.client.cookies
    assert [(me(each) or {})["roles"] for each in (before, after)] == [["person", "reviewer"], ["person"]]


def test_the_userinfo_completes_a_thin_token(visitor: Visitor, forger: Forger) -> None:
    forger.claims = {"email": None, "email_verified": True, "groups": None}
    forger.userinfo = {"sub": "1", "email": "eve@example.com", "email_verified": False, "groups": ["deciders"]}
    assert "has not verified" in sign_on(visitor, forger, status=403)
    forger.userinfo["email_verified"] = "true"
    assert sign_on(visitor, forger) == "/admin"
    forger.userinfo["sub"] = "2"
    assert "is not valid" in sign_on(Visitor(visitor.portal), forger, status=403)


def test_a_claim_deep_in_the_token(make_site: Callable[..., TestPortal], forger: Forger) -> None:
    forger.claims = {"groups": None, "realm_access": {"roles": ["deciders"]}}
    assert sign_on(Visitor(make_site(groups_claim="realm_access.roles")), forger) == "/admin"


# -------------------------------------------------------------------------------------------------------------------- clocks
@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"exp": NOW - 30}, True),
        ({"exp": NOW - 2 * MINUTE}, False),
        ({"nbf": NOW + 30}, True),
        ({"nbf": NOW + 2 * MINUTE}, False),
        ({"iat": NOW + 30}, True),
        ({"iat": NOW + 2 * MINUTE}, False),
        ({"exp": None}, False),
        ({"exp": "soon"}, False),
        ({"iat": None}, False),
    ],
)
def test_clocks_may_differ_by_a_minute(visitor: Visitor, forger: Forger, claims: dict[str, Any], accepted: bool) -> None:
    forger.claims = {name: int(value) if isinstance(value, float) else value for name, value in claims.items()}
    sign_on(visitor, forger, status=303 if accepted else 403)
    assert (me(visitor) is not None) is accepted


def test_the_session_ends_with_the_token(site: TestPortal, visitor: Visitor, forger: Forger) -> None:
    forger.claims = {"exp": int(NOW) + 5 * MINUTE}
    sign_on(visitor, forger)
    for seconds, is_signed_in in ((5 * MINUTE + 59, True), (6 * MINUTE + 1, False)):
        site.at = durations.iso(durations.parse_time(AT) + durations.timedelta(seconds=seconds))
        assert (me(visitor) is not None) is is_signed_in
    assert '/sign-in?next=%2Fmine"' in visitor.see("/mine", 401)


def test_a_long_token_makes_no_longer_session(site: TestPortal, visitor: Visitor, forger: Forger) -> None:
    forger.claims = {"exp": int(NOW) + 1000 * HOUR}
    sign_on(visitor, forger)
    site.at = durations.iso(durations.parse_time(AT) + durations.timedelta(hours=12, seconds=1))
    assert me(visitor) is None


# ---------------------------------------------------------------------------------------------------------- tokens that lie
@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example.com"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"aud": "another", "azp": "portal"},
        {"aud": ["portal", "another"], "azp": "another"},
        {"aud": None},
        {"nonce": "x"},
        {"nonce": None},
        {"sub": None},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    ],
)
def test_a_token_for_somebody_or_something_else(visitor: Visitor, forger: Forger, claims: dict[str, Any]) -> None:
    forger.claims = claims
    assert "is not valid, so you are not signed in" in sign_on(visitor, forger, status=403)
    assert me(visitor) is None


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_without_a_signature_of_the_provider(visitor: Visitor, forger: Forger, algorithm: str) -> None:
    forger.algorithm, forger.metadata = algorithm, {"id_token_signing_alg_values_supported": ["RS256", "HS256", "none"]}
    sign_on(visitor, forger, status=403)
    assert me(visitor) is None


def test_a_token_signed_by_somebody_else(visitor: Visitor, forger: Forger) -> None:
    forger.published = SAME_NAME
    sign_on(visitor, forger, status=403)
    forger.published = ANOTHER
    sign_on(visitor, forger, status=403)
    assert me(visitor) is None


@pytest.mark.parametrize("key", [ANOTHER, SAME_NAME])
def test_keys_are_read_again_when_they_change(visitor: Visitor, forger: Forger, key: RSAKey) -> None:
    sign_on(visitor, forger)
    sign_on(visitor, forger)
    assert forger.calls.count("/keys") == 1
    forger.key = key
    assert sign_on(Visitor(visitor.portal), forger) == "/mine"
    assert forger.calls.count("/keys") == 2


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"email_verified": False}, "has not verified your e-mail address"),
        ({"email_verified": None}, "has not verified your e-mail address"),
        ({"email_verified": "false"}, "has not verified your e-mail address"),
        ({"email": None}, "tells no e-mail address"),
        ({"email": ""}, "tells no e-mail address"),
        ({"email": "ada"}, "tells no e-mail address"),
        ({"email": ["ada@example.com"]}, "tells no e-mail address"),
        ({"email": "ada@example.com\r\nBcc: eve@example.com"}, "tells no e-mail address"),
    ],
)
def test_an_account_without_a_verified_address(visitor: Visitor, forger: Forger, claims: dict[str, Any], said: str) -> None:
    forger.claims = claims
    page = sign_on(visitor, forger, status=403)
    assert said in page and 'href="/sign-in"' in page and me(visitor) is None


def test_providers_that_verify_nothing_can_be_believed(make_site: Callable[..., TestPortal], forger: Forger) -> None:
    forger.claims = {"email_verified": None}
    assert sign_on(Visitor(make_site(oidc_verified_only=False)), forger) == "/mine"


# ------------------------------------------------------------------------------------------------------ there and back again
def test_two_tabs_at_once(visitor: Visitor, forger: Forger) -> None:
    tabs = [forger.authorize(go(visitor, f"/oidc/sign-in?next=/mine/{number}")) for number in range(2)]
    assert [go(visitor, tab.removeprefix("https://portal")) for tab in tabs] == ["/mine/0", "/mine/1"]


def test_the_way_back_belongs_to_the_browser_that_went(site: TestPortal, visitor: Visitor, forger: Forger) -> None:
    back = forger.authorize(go(visitor, "/oidc/sign-in")).removeprefix("https://portal")
    stranger = Visitor(site)
    go(stranger, back, 400)
    own = go(stranger, "/oidc/sign-in")
    assert "began in another browser" in go(stranger, back, 400)
    # Even a state of the stranger's own cannot bring in what was meant for another browser.
    state = re.findall(r"state=([^&]+)", own)[0]
    go(stranger, f"/oidc/callback?code=code-0&state={state}", 400)
    assert me(stranger) is None and forger.calls.count("/token") == 1


@pytest.mark.parametrize("changes", ["state=", "state=x", "code=x", "code=", "iss=https://evil.example.com"])
def test_a_way_back_that_was_changed(visitor: Visitor, forger: Forger, changes: str) -> None:
    back = forger.authorize(go(visitor, "/oidc/sign-in")).removeprefix("https://portal")
    name = changes.partition("=")[0]
    changed = re.sub(rf"([?&]){name}=[^&]*", rf"\g<1>{changes}", back) if name != "iss" else f"{back}&{changes}"
    assert 400 <= visitor.client.get(changed).status_code < 500
    assert me(visitor) is None


def test_a_code_works_once(visitor: Visitor, forger: Forger) -> None:
    back = forger.authorize(go(visitor, "/oidc/sign-in")).removeprefix("https://portal")
    assert go(visitor, back) == "/mine"
    assert "Begin again." in go(visitor, back, 400)


@pytest.mark.parametrize(
    ("next_path", "where"),
    [
        ("/admin?tab=all", "/admin?tab=all"),
        ("//evil.example.com", "/mine"),
        ("https://evil.example.com/", "/mine"),
        ("/\\evil.example.com", "/mine"),
        ("/%09/evil.example.com", "/mine"),
        ("javascript:alert(1)", "/mine"),
        ("/oidc/sign-in", "/mine"),
        ("/sign-out", "/mine"),
        ("/" + "x" * 600, "/mine"),
    ],
)
def test_nobody_is_sent_elsewhere_afterwards(visitor: Visitor, forger: Forger, next_path: str, where: str) -> None:
    assert sign_on(visitor, forger, next_path.replace("&", "%26")) == where


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        ("access_denied", 403, "that was cancelled or is not allowed"),
        ("temporarily_unavailable", 503, "does not answer at the moment"),
        ("<script>alert(1)</script>", 400, "The sign-in failed"),
    ],
)
def test_what_the_provider_sends_back_instead_of_a_code(visitor: Visitor, caplog: pytest.LogCaptureFixture, error: str, status: int, said: str) -> None:
    caplog.set_level("INFO")
    state = re.findall(r"state=([^&]+)", go(visitor, "/oidc/sign-in"))[0]
    answer = visitor.client.get("/oidc/callback", params={"error": error, "error_description": "call 555-1234", "state": state})
    assert answer.status_code == status and said in answer.text
    said_here = answer.text + "".join(record.getMessage() for record in caplog.records if record.name.startswith("portal"))
    assert "sign_in_failed" in said_here and "555-1234" not in said_here and "<script>alert" not in said_here


# --------------------------------------------------------------------------------------------------------- the provider fails
def test_a_provider_that_is_down_disturbs_nobody_else(site: TestPortal, visitor: Visitor, forger: Forger) -> None:
    forger.is_down = True
    for _again in range(2):
        assert "sign in another way" in go(visitor, "/oidc/sign-in", 503)
    assert len(forger.calls) == 1  # it is not asked with every click
    visitor.sign_in("ada@example.com")
    assert (me(visitor) or {})["method"] == "link"
    assert site.get("/api/v1/admin/requests")["total"] == 0


def test_a_provider_that_goes_away_on_the_way(visitor: Visitor, forger: Forger) -> None:
    back = forger.authorize(go(visitor, "/oidc/sign-in")).removeprefix("https://portal")
    forger.is_down = True
    go(visitor, back, 503)
    forger.is_down = False
    assert sign_on(visitor, forger) == "/mine"
    forger.is_down = True
    assert me(visitor) is not None  # nothing is asked of it meanwhile


@pytest.mark.parametrize("refusal", ["invalid_client", "unauthorized_client"])
def test_a_provider_that_does_not_know_the_portal(visitor: Visitor, forger: Forger, caplog: pytest.LogCaptureFixture, refusal: str) -> None:
    forger.refuses = refusal
    sign_on(visitor, forger, status=503)
    assert f"refuses the portal: {refusal}" in caplog.text and SECRET not in caplog.text


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"issuer": "http://127.0.0.1/another"}, "let PORTAL_OIDC_ISSUER be exactly that"),
        ({"token_endpoint": "http://sso.example.com/token"}, "token_endpoint cannot be called, or only unencrypted"),
        ({"jwks_uri": None}, "jwks_uri cannot be called"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint cannot be called"),
    ],
)
def test_a_provider_that_is_set_up_wrong(visitor: Visitor, forger: Forger, caplog: pytest.LogCaptureFixture, metadata: dict[str, Any], said: str) -> None:
    forger.metadata = metadata
    go(visitor, "/oidc/sign-in", 503)
    assert said in caplog.text


def test_a_provider_without_a_place_to_sign_out(site: TestPortal, visitor: Visitor, forger: Forger) -> None:
    forger.metadata = {"end_session_endpoint": None}
    sign_on(visitor, forger)
    assert visitor.send("/sign-out") == "/ask"
    assert me(visitor) is None


# ----------------------------------------------------------------------------------------------------- beside other methods
def test_a_link_and_single_sign_on_take_turns(visitor: Visitor, forger: Forger) -> None:
    visitor.sign_in("boss@example.com")
    sign_on(visitor, forger)
    assert (me(visitor) or {})["email"] == "ada@example.com"
    visitor.sign_in("boss@example.com")
    assert (me(visitor) or {})["method"] == "link"


def test_all_ways_to_sign_in_are_on_one_page(visitor: Visitor, forger: Forger) -> None:
    assert go(visitor, "/admin?q=ada") == "/sign-in?next=%2Fadmin%3Fq%3Dada"
    page = visitor.see("/sign-in?next=%2Fadmin%3Fq%3Dada")
    assert "/oidc/sign-in?next=%2Fadmin%3Fq%3Dada" in page and 'name="email"' in page and 'name="password"' in page
    sign_on(visitor, forger)
    visitor.send("/sign-in/password", {"username": "admin", "password": PASSWORD})
    assert (me(visitor) or {})["who"] == "admin"
    assert visitor.send("/sign-out") == "/ask"  # there is nothing to sign out of at the provider
    assert me(visitor) is None


def test_without_links_people_sign_in_before_they_ask(make_site: Callable[..., TestPortal]) -> None:
    visitor = Visitor(make_site(identity="oidc", oidc_name="Company"))
    page = visitor.see("/ask?what=model:granite")
    assert "Sign in first" in page and 'name="email"' not in page and "/sign-in?next=%2Fask%3Fwhat%3Dmodel%3Agranite" in page
    assert "Sign in with Company" in visitor.see("/sign-in") and 'name="email"' not in visitor.see("/sign-in")
    visitor.send("/ask", {"what": "other", "other": "granite", "purpose": "A demo", "email": "ada@example.com", "agree": "yes"}, status=401)


def test_without_the_method_there_are_no_such_pages(make_site: Callable[..., TestPortal], forger: Forger) -> None:
    signed_in = Visitor(make_site())
    sign_on(signed_in, forger)
    visitor = Visitor(make_site(identity="basic,link"))
    visitor.client.cookies = signed_in.client.cookies
    assert me(visitor) is None
    go(visitor, "/oidc/sign-in", 404)
    go(visitor, "/oidc/callback", 404)


def test_a_proxy_names_groups(make_portal: Callable[..., TestPortal]) -> None:
    portal = make_portal(mails=KeptMails(), identity="proxy", requester_groups="staff", **GROUPS)
    named = {"X-Forwarded-Email": "ada@example.com"}
    roles = {
        groups: portal.get("/api/v1/me", {**named, **({"X-Forwarded-Groups": groups} if groups else {})})["roles"]
        for groups in ("", "staff", "staff, deciders", "audit,staffers")
    }
    assert roles == {"": [], "staff": ["person"], "staff, deciders": ["person", "reviewer"], "audit,staffers": ["auditor"]}
    twice = [("X-Forwarded-Email", "ada@example.com"), ("X-Forwarded-Groups", "staff"), ("X-Forwarded-Groups", "root")]
    assert portal.client.get("/api/v1/me", headers=twice).status_code == 401
    stranger = make_portal(mails=KeptMails(), identity="proxy", client="192.0.2.7", **GROUPS)
    assert stranger.client.get("/api/v1/me", headers={**named, "X-Forwarded-Groups": "root"}).status_code == 401


# ------------------------------------------------------------------------------------------------------------------ settings
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORTAL_OIDC_ISSUER", "", "needs the address of a provider"),
        ("PORTAL_OIDC_ISSUER", "http://sso.example.com", "unencrypted"),
        ("PORTAL_OIDC_ISSUER", "https://sso.example.com?realm=x", "without a query"),
        ("PORTAL_OIDC_CLIENT_ID", "", "PORTAL_OIDC_CLIENT_ID is not set"),
        ("PORTAL_OIDC_SCOPES", "email", "let openid be one of them"),
        ("PORTAL_OIDC_CA_FILE", "/nowhere", "cannot be read"),
        ("PORTAL_HOST", "0.0.0.0", "set PORTAL_URL"),
    ],
)
def test_settings_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    usual = {"PORTAL_OIDC_ISSUER": "https://sso.example.com", "PORTAL_OIDC_CLIENT_ID": "portal", "PORTAL_OIDC_CLIENT_SECRET": "hidden"}
    for each, setting in {**usual, "PORTAL_IDENTITY": "oidc", "ADMIN_PASSWORD": "x"}.items():
        monkeypatch.setenv(each, setting)
    assert "hidden" not in repr(load_settings()[0])
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=said) as error:
        load_settings()
    assert "hidden" not in str(error.value)
