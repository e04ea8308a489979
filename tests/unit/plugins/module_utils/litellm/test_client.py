# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The client, by scripted conversations. What LiteLLM says in them was recorded from LiteLLM 1.102.4."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import socket
import ssl
import traceback
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import LONGEST_WAIT, Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Exchange, Reply, ScriptedGateway
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

KEY = "sk-the-masters-own-key-0123456789"
NO_DATABASE = "Can't reach database server at `127.0.0.1:5432` (connect ECONNREFUSED 127.0.0.1:5432)"
AWAY_AUTH = "Service Unavailable, the authentication database is temporarily unreachable. Please retry shortly."


def said(message: str, kind: str = "bad_request_error", status: int = 400, **headers: str) -> Reply:
    """A refusal in LiteLLM's form."""
    body = {"error": {"message": message, "type": kind, "param": "None", "code": str(status)}}
    return Reply(status=status, json=body, headers=headers)


OK = Reply(json={"keys": []})


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "REQUESTS_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


@pytest.fixture
def waits() -> list[float]:
    """The seconds that a client waited between its tries."""
    return []


def client_of(url: str, waits: list[float] | None = None, **options: Any) -> Client:
    settings = {"timeout": 5.0, "retries": 2, "retry_delay": 1.0, **options}
    return Client(Connection(url=url, api_key=KEY, **settings), sleep=(waits if waits is not None else []).append)


# -------------------------------------------------------------------------------------------------------- what is sent
def test_a_get_and_a_post() -> None:
    headers = {"Authorization": f"Bearer {KEY}", "User-Agent": "rhpds.litellm_virtual_keys"}
    with ScriptedGateway(
        Exchange("GET", "/key/list", query={"key_alias": "a b&c=d/é", "page": "1"}, headers=headers, reply=OK),
        Exchange("POST", "/key/update", query={}, headers=headers, body={"key": "t", "n": None}, reply=Reply(json={"a": 1})),
    ) as gateway:
        client = client_of(gateway.url)
        assert client.get("/key/list", {"key_alias": "a b&c=d/é", "page": 1}) == {"keys": []}
        assert client.post("/key/update", {"key": "t", "n": None}) == {"a": 1}
        assert client.calls == 2


def test_one_connection_serves_many_calls() -> None:
    with ScriptedGateway(*[Exchange("GET", "/models", reply=OK)] * 5) as gateway:
        opened = []
        accept = gateway._server.get_request
        gateway._server.get_request = lambda: opened.append(1) or accept()  # type: ignore[func-returns-value,method-assign]
        client = client_of(gateway.url)
        for _call in range(5):
            client.get("/models")
        assert len(opened) == 1


@pytest.mark.parametrize("end", ["", "/", "//", "/v1", "/v1/"])
def test_the_address_may_end_like_an_sdk_wants_it(end: str) -> None:
    with ScriptedGateway(Exchange("GET", "/models", reply=OK)) as gateway:
        client_of(gateway.url + end).get("/models")


def test_a_path_below_the_host_stays() -> None:
    with ScriptedGateway(Exchange("GET", "/litellm/models", reply=OK)) as gateway:
        client_of(gateway.url + "/litellm/").get("/models")


def test_netrc_does_not_replace_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    expected = {"Authorization": f"Bearer {KEY}"}
    with ScriptedGateway(
        Exchange("GET", "/models", headers=expected, reply=OK),
        Exchange("GET", "/models", headers={"Authorization": "Bearer sk-another-one-0123"}, reply=OK),
    ) as gateway:
        client = client_of(gateway.url)
        client.get("/models")
        client.accepts("sk-another-one-0123")


def test_a_redirect_is_not_followed_and_the_key_goes_nowhere() -> None:
    with ScriptedGateway() as elsewhere:
        answer = Reply(status=302, text="", headers={"Location": f"{elsewhere.url}/models"})
        with ScriptedGateway(Exchange("GET", "/models", reply=answer)) as gateway:
            with pytest.raises(errors.NotLitellm, match="redirects GET /models to .*; give the final address in url"):
                client_of(gateway.url).get("/models")
        assert elsewhere.requests == []


# ------------------------------------------------------------------------------------------------------------- retries
PASSING = [
    Reply(reset=True),
    Reply(json={"keys": ["a"] * 50}, cut=True),
    Reply(status=502, text="<html>Bad Gateway</html>"),
    Reply(status=503, text=""),
    Reply(status=504, text="<html>Gateway Timeout</html>"),
    Reply(status=500, text="Internal Server Error"),
    said("max parallel requests", "throttling_error", 429),
    said(NO_DATABASE, "internal_server_error", 500),
    said(f"Authentication Error, {NO_DATABASE}", "auth_error", 400),
    said(AWAY_AUTH, "no_db_connection", 503),
]


@pytest.mark.parametrize("trouble", PASSING, ids=str)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_trouble_that_passes(trouble: Reply, method: str, waits: list[float]) -> None:
    path = "/key/list" if method == "GET" else "/key/generate"
    with ScriptedGateway(
        Exchange(method, path, reply=trouble),
        Exchange(method, path, reply=trouble),
        Exchange(method, path, reply=Reply(json={"well": True})),
    ) as gateway:
        client = client_of(gateway.url, waits)
        assert (client.get(path) if method == "GET" else client.post(path, {"key_alias": "a"})) == {"well": True}
        assert client.calls == 3
    assert len(waits) == 2
    assert 0.5 <= waits[0] <= 1.0 <= waits[1] <= 2.0, "the wait doubles, less up to half of it"


def test_an_answer_without_a_length_that_is_cut_off(waits: list[float]) -> None:
    """The connection ends in the middle of the JSON, and nothing in HTTP tells that more was to come."""
    half = Reply(text='{"keys": [', headers={"Content-Type": "application/json"})
    with ScriptedGateway(Exchange("GET", "/key/list", reply=half), Exchange("GET", "/key/list", reply=OK)) as gateway:
        assert client_of(gateway.url, waits).get("/key/list") == {"keys": []}


def test_a_timeout(waits: list[float]) -> None:
    with ScriptedGateway(Exchange("GET", "/models", reply=Reply(json={}, wait=1.0)), Exchange("GET", "/models", reply=OK)) as gateway:
        assert client_of(gateway.url, waits, timeout=0.3).get("/models") == {"keys": []}
    assert len(waits) == 1


@pytest.mark.parametrize("asked", ["7", "7.5", "29"])
def test_retry_after_is_obeyed(asked: str, waits: list[float]) -> None:
    busy = said("slow down", "throttling_error", 429, **{"Retry-After": asked})
    with ScriptedGateway(Exchange("GET", "/models", reply=busy), Exchange("GET", "/models", reply=OK)) as gateway:
        client_of(gateway.url, waits).get("/models")
    assert waits == [float(asked)]


@pytest.mark.parametrize("asked", ["3600", "inf"])
def test_nobody_waits_for_an_hour(asked: str, waits: list[float]) -> None:
    busy = said("slow down", "throttling_error", 429, **{"Retry-After": asked})
    with (
        ScriptedGateway(Exchange("GET", "/models", reply=busy)) as gateway,
        pytest.raises(errors.RateLimited, match="too busy"),
    ):
        client_of(gateway.url, waits).get("/models")
    assert waits == []


@pytest.mark.parametrize("asked", ["soon", "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "nan", ""])
def test_a_retry_after_that_says_nothing(asked: str, waits: list[float]) -> None:
    busy = said("slow down", "throttling_error", 429, **{"Retry-After": asked})
    with ScriptedGateway(Exchange("GET", "/models", reply=busy), Exchange("GET", "/models", reply=OK)) as gateway:
        client_of(gateway.url, waits).get("/models")
    assert 0.5 <= waits[0] <= 1.0


def test_waits_are_bounded(waits: list[float]) -> None:
    with (
        ScriptedGateway(*[Exchange("GET", "/models", reply=Reply(status=502, text="no"))] * 13) as gateway,
        pytest.raises(errors.ServerFailed),
    ):
        client_of(gateway.url, waits, retries=12).get("/models")
    assert len(waits) == 12 and max(waits) <= LONGEST_WAIT


def test_the_tries_end(waits: list[float]) -> None:
    with ScriptedGateway(*[Exchange("GET", "/models", reply=Reply(reset=True))] * 3) as gateway:
        with pytest.raises(errors.Unreachable, match="no answer from .* to GET /models after 3 tries: ") as caught:
            client_of(gateway.url, waits).get("/models")
    assert caught.value.code == "unreachable" and caught.value.status is None
    assert len(waits) == 2


def test_no_retries_when_none_are_wanted(waits: list[float]) -> None:
    with (
        ScriptedGateway(Exchange("GET", "/models", reply=Reply(status=502, text=""))) as gateway,
        pytest.raises(errors.ServerFailed),
    ):
        client_of(gateway.url, waits, retries=0).get("/models")
    assert waits == []


def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_nobody_listens(waits: list[float]) -> None:
    with pytest.raises(errors.Unreachable, match="Connection refused; check the address and that the gateway runs"):
        client_of(f"http://127.0.0.1:{unused_port()}", waits).get("/models")
    assert len(waits) == 2


def test_a_name_that_nobody_has(waits: list[float]) -> None:
    with pytest.raises(errors.Unreachable, match="no answer from http://nobody.invalid "):
        client_of("http://nobody.invalid", waits, retries=0).get("/models")


# -------------------------------------------------------------------------------------------------------------- errors
UNKNOWN_KEY = (
    "Authentication Error, Invalid proxy server token passed. Received API Key = sk-...9999, Key Hash (Token) ="
    f"{'f' * 64}. Unable to find token in cache or `LiteLLM_VerificationTokenTable`"
)
CASES: list[tuple[str, Reply, type[errors.GatewayError], str]] = [
    ("unknown key", said(UNKNOWN_KEY, "token_not_found_in_db", 401), errors.Unauthorized, "does not know the API key"),
    ("no key", said("Authentication Error, No api key passed in.", "auth_error", 401), errors.Unauthorized, "API key"),
    ("expired", said("Authentication Error - Expired Key.", "expired_key", 401), errors.Unauthorized, "API key"),
    (
        "virtual key generates",
        said(
            "Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys",
            "auth_error",
            401,
        ),
        errors.NotAdmin,
        "may not manage keys",
    ),
    (
        "virtual key lists",
        said("You are not authorized to access this endpoint. No 'user_id' is associated with your API key.", status=403),
        errors.NotAdmin,
        "master key",
    ),
    (
        "user lists another's",
        said("You are not authorized to check another user's keys", status=403),
        errors.NotAdmin,
        "master key",
    ),
    (
        "route not allowed",
        Reply(
            status=403,
            json={"detail": "Virtual key is not allowed to call this route. Only allowed to call routes: []"},
        ),
        errors.NotAdmin,
        "Virtual key is not allowed",
    ),
    ("other 403", Reply(status=403, json={"detail": "No."}), errors.NotAdmin, "may not do"),
    ("not found", said("Key not found.", "not_found_error", 404), errors.NotFound, "Key not found"),
    ("no such route", Reply(status=404, json={"detail": "Not Found"}), errors.NotFound, "Not Found"),
    (
        "alias taken",
        said("Key with alias 'x' already exists. Unique key aliases across all keys are required."),
        errors.AliasTaken,
        "already exists",
    ),
    ("bad request", said("Invalid key_alias"), errors.Rejected, "rejects .*HTTP 400"),
    ("conflict", said("no", status=409), errors.Rejected, "HTTP 409"),
    (
        "validation",
        Reply(status=422, json={"detail": [{"loc": ["size"], "msg": "too big"}]}),
        errors.Rejected,
        "too big",
    ),
    (
        "enterprise 403",
        Reply(status=403, json={"detail": {"error": "This feature is only available for LiteLLM Enterprise users: tags"}}),
        errors.EnterpriseOnly,
        "enterprise licence",
    ),
    (
        "enterprise 500",
        said("You must have an enterprise license to set model_max_budget.", "internal_server_error", 500),
        errors.EnterpriseOnly,
        "enterprise licence",
    ),
    (
        "own values",
        said("Custom API key values are disabled by your administrator.", status=403),
        errors.OwnValuesForbidden,
        "disable_custom_api_keys",
    ),
    ("no database", said("No connected db.", "no_db_connection", 400), errors.NoDatabase, "DATABASE_URL"),
    (
        "no database 500",
        said("Authentication Error, Database not connected", status=500),
        errors.NoDatabase,
        "DATABASE_URL",
    ),
    ("budget id", said("Internal Server Error.", "internal_server_error", 500), errors.ServerFailed, "see its log"),
]


@pytest.mark.parametrize(("reply", "kind", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_permanent_is_asked_once(reply: Reply, kind: type[errors.GatewayError], words: str, waits: list[float]) -> None:
    with ScriptedGateway(Exchange("POST", "/key/generate", reply=reply)) as gateway:
        with pytest.raises(errors.GatewayError, match=words) as caught:
            client_of(gateway.url, waits).post("/key/generate", {})
        assert caught.value.__class__ is kind
        assert gateway.url in str(caught.value) or kind in (errors.AliasTaken, errors.EnterpriseOnly)
    assert caught.value.status == reply.status
    assert waits == []
    assert "\n" not in str(caught.value)


AT_LAST = [
    (said(NO_DATABASE, "internal_server_error", 500), errors.NoDatabase),
    (said(NO_DATABASE, "auth_error", 400), errors.NoDatabase),
    (said(AWAY_AUTH, "no_db_connection", 503), errors.NoDatabase),
    (said("slow down", "throttling_error", 429), errors.RateLimited),
    (Reply(status=503, text="<html>"), errors.ServerFailed),
    (Reply(json={"keys": [1, 2, 3]}, cut=True), errors.Unreachable),
]


@pytest.mark.parametrize(("reply", "kind"), AT_LAST, ids=str)
def test_trouble_that_does_not_pass_has_its_name(reply: Reply, kind: type[errors.GatewayError], waits: list[float]) -> None:
    with ScriptedGateway(*[Exchange("GET", "/key/list", reply=reply)] * 3) as gateway:
        with pytest.raises(errors.GatewayError) as caught:
            client_of(gateway.url, waits).get("/key/list")
        assert caught.value.__class__ is kind


@pytest.mark.parametrize(
    "reply",
    [
        Reply(text="<!DOCTYPE html><html>Sign in</html>"),
        Reply(text=""),
        Reply(status=404, text="<html>not here</html>"),
        Reply(status=400, text="<html>what?</html>"),
        Reply(status=405, text="no"),
    ],
    ids=str,
)
def test_a_page_instead_of_json(reply: Reply, waits: list[float]) -> None:
    with ScriptedGateway(Exchange("GET", "/key/list", reply=reply)) as gateway:
        with pytest.raises(errors.NotLitellm, match="an HTML page instead of JSON; check that url is the address") as caught:
            client_of(gateway.url, waits).get("/key/list")
        assert "Sign in" not in str(caught.value)
    assert waits == []


# ------------------------------------------------------------------------------------------------------------- secrets
@pytest.mark.parametrize("key", [KEY, "a-master-key-without-the-usual-start"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 502, 503])
def test_no_key_in_any_error(status: int, key: str) -> None:
    """Whatever the gateway echoes: its caller's key, the value that was to be minted, a page with both."""
    minted = "sk-tobeminted0123456789"
    echo = f"LiteLLM Virtual Key expected. Received={key}, expected to start with 'sk-'. Body: {minted}"
    replies = [
        said(echo, status=status),
        Reply(status=status, json={"detail": {"a": [echo]}}),
        Reply(status=status, text=echo),
    ]
    for reply in replies:
        with ScriptedGateway(Exchange("POST", "/key/generate", reply=reply)) as gateway:
            client = Client(Connection(url=gateway.url, api_key=key, retries=0))
            with pytest.raises(errors.GatewayError) as caught:
                client.post("/key/generate", {"key": minted})
        told = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value)) + repr(caught.value)
        assert key not in told and minted not in told


def test_no_key_in_the_errors_of_the_network() -> None:
    client = client_of(f"http://127.0.0.1:{unused_port()}", retries=0)
    for call in (lambda: client.post("/key/generate", {"key": KEY}), lambda: client.accepts(KEY)):
        with pytest.raises(errors.Unreachable) as caught:
            call()
        assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_key_never_stands_in_an_address() -> None:
    with ScriptedGateway(Exchange("GET", "/models", reply=OK), Exchange("POST", "/key/generate", reply=OK)) as gateway:
        client = client_of(gateway.url)
        client.accepts("sk-some-value-0123456")
        client.post("/key/generate", {"key": "sk-some-value-0123456"})
        assert not any("sk-" in request.path + json.dumps(dict(request.query)) for request in gateway.requests)


# ------------------------------------------------------------------------------------------------------------- accepts
@pytest.mark.parametrize(
    ("reply", "accepted"),
    [
        (Reply(json={"data": []}), True),
        (said("unknown", "token_not_found_in_db", 401), False),
        (said("Authentication Error - Expired Key.", "expired_key", 401), False),
        (Reply(status=403, json={"detail": "Virtual key is not allowed to call this route."}), True),
    ],
    ids=str,
)
def test_accepts(reply: Reply, accepted: bool) -> None:
    headers = {"Authorization": "Bearer sk-a-users-value-01"}
    with ScriptedGateway(Exchange("GET", "/models", headers=headers, reply=reply)) as gateway:
        assert client_of(gateway.url).accepts("sk-a-users-value-01") is accepted


@pytest.mark.parametrize("reply", [said("slow down", status=429), Reply(status=503, text="<html>")])
def test_a_call_that_costs_is_made_once(reply: Reply, waits: list[float]) -> None:
    with ScriptedGateway(Exchange("POST", "/v1/chat/completions", headers={"Authorization": "Bearer sk-a-users"}, reply=reply)) as gateway:
        assert client_of(gateway.url, waits).post_as("sk-a-users", "/v1/chat/completions", {"model": "m"}).status == reply.status
    assert waits == []


def test_a_call_that_costs_is_not_made_again_when_its_answer_is_lost(waits: list[float]) -> None:
    with ScriptedGateway(Exchange("POST", "/v1/embeddings", reply=Reply(json={"data": []}, cut=True))) as gateway:
        with pytest.raises(errors.Unreachable, match="to POST /v1/embeddings after 1 try: "):
            client_of(gateway.url, waits).post_as("sk-a-users", "/v1/embeddings", {"model": "m"})
    assert waits == []


def test_a_key_over_its_budget_is_accepted_all_the_same() -> None:
    spent = said("Budget has been exceeded!", "budget_exceeded", 429)
    with ScriptedGateway(Exchange("GET", "/models", reply=spent)) as gateway:
        assert client_of(gateway.url).accepts("sk-a-users-value-01") is True


@pytest.mark.parametrize(
    "reply",
    [said(AWAY_AUTH, "no_db_connection", 503), Reply(status=502, text="<html>"), said("no", status=404)],
    ids=str,
)
def test_trouble_is_no_proof_of_revocation(reply: Reply) -> None:
    tries = 1 if reply.status == 404 else 3
    with ScriptedGateway(*[Exchange("GET", "/models", reply=reply)] * tries) as gateway:
        with pytest.raises(errors.GatewayError):
            client_of(gateway.url).accepts("sk-a-users-value-01")


# --------------------------------------------------------------------------------------------------------------- clock
@pytest.mark.parametrize("ahead", [-10_800, -1, 0, 1, 18_000])
def test_the_gateways_clock_counts(ahead: int) -> None:
    then = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead)
    reply = Reply(json={}, headers={"Date": format_datetime(then, usegmt=True)})
    with ScriptedGateway(Exchange("GET", "/models", reply=reply)) as gateway:
        client = client_of(gateway.url)
        assert abs(client.now() - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=1)
        client.get("/models")
        assert abs(client.now() - then) < dt.timedelta(seconds=2)
        if abs(ahead) <= 1:
            assert abs(client.now() - dt.datetime.now(dt.UTC)) < dt.timedelta(milliseconds=100), "no jitter of a second"


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 21 Nov 2026 12:00:00 -0000"])
def test_a_date_that_says_nothing(date: str) -> None:
    with ScriptedGateway(Exchange("GET", "/models", reply=Reply(json={}, headers={"Date": date}))) as gateway:
        client_of(gateway.url).get("/models")


# ----------------------------------------------------------------------------------------------------------------- TLS
class Authority:
    """Makes certificates in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = self._write(name, self._sign(self._name, self._key, True))

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, authority: bool) -> bytes:
        now = dt.datetime.now(dt.UTC)
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        usage = x509.KeyUsage(
            digital_signature=not authority,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=authority,
            crl_sign=authority,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(address, critical=False)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(usage, critical=True)  # from Python 3.13 on an authority has to have it
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, content: bytes) -> Path:
        file = self._folder / f"{name}.pem"
        file.write_bytes(content)
        return file

    def issue(self, name: str) -> tuple[Path, Path]:
        """The files of a certificate and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self._write(f"{name}-cert", self._sign(subject, key, False)), self._write(f"{name}-key", secret)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"), "an-authority-of-the-lab")


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("gateway"))
    return context


def test_a_certificate_of_nobodys_is_refused(tls: ssl.SSLContext, waits: list[float]) -> None:
    with ScriptedGateway(tls=tls) as gateway:
        with pytest.raises(errors.TlsFailed, match="self-signed certificate|unable to get.*issuer") as caught:
            client_of(gateway.url, waits).get("/models")
        assert "ca_path" in str(caught.value) and gateway.requests == []
    assert waits == [], "it will not get better"


def test_ca_path(tls: ssl.SSLContext, authority: Authority) -> None:
    with ScriptedGateway(Exchange("GET", "/models", reply=OK), Exchange("GET", "/models", reply=OK), tls=tls) as gateway:
        client = client_of(gateway.url, ca_path=str(authority.file))
        client.get("/models")
        assert client.accepts("sk-some-value-0123456")


def test_the_certificate_of_another_host(authority: Authority, tls: ssl.SSLContext) -> None:
    with ScriptedGateway(tls=tls) as gateway:
        url = gateway.url.replace("127.0.0.1", "localhost")
        with pytest.raises(errors.TlsFailed, match="ca_path|name"):
            client_of(url, ca_path=str(authority.file)).get("/models")


def test_validate_certs_off(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/hostname")
    with ScriptedGateway(Exchange("GET", "/models", reply=OK), tls=tls) as gateway:
        with pytest.warns(Warning, match="Unverified HTTPS"):
            client_of(gateway.url, validate_certs=False).get("/models")


def test_a_file_that_holds_no_certificate(tls: ssl.SSLContext, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    with ScriptedGateway(tls=tls) as gateway:
        with pytest.raises(errors.TlsFailed):
            client_of(gateway.url, ca_path=str(empty)).get("/models")


def test_a_client_certificate(tls: ssl.SSLContext, authority: Authority) -> None:
    tls.load_verify_locations(authority.file)
    tls.verify_mode = ssl.CERT_REQUIRED
    certificate, key = authority.issue("caller")
    both = certificate.with_name("both.pem")
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    with ScriptedGateway(*[Exchange("GET", "/models", reply=OK)] * 2, tls=tls) as gateway:
        ca = str(authority.file)
        client_of(gateway.url, ca_path=ca, client_cert=str(certificate), client_key=str(key)).get("/models")
        client_of(gateway.url, ca_path=ca, client_cert=str(both)).get("/models")
    with ScriptedGateway(tls=tls) as gateway:
        with pytest.raises(errors.GatewayError):
            client_of(gateway.url, ca_path=ca, retries=0).get("/models")


def test_plain_http_where_tls_is_meant(waits: list[float]) -> None:
    with ScriptedGateway() as gateway:
        with pytest.raises(errors.TlsFailed):
            client_of(gateway.url.replace("http:", "https:"), waits).get("/models")


# ---------------------------------------------------------------------------------------------------------- connection
@pytest.mark.parametrize(
    "url",
    [
        "",
        "litellm.example.com",
        "litellm.example.com:4000",
        "//litellm.example.com",
        "ftp://litellm.example.com",
        "http://",
        "https:///path",
        "http://:4000",
        "http://litellm.example.com:port",
        "http://litellm.example.com:99999",
        "http://[::1",
        "http://litellm example.com",
        "http://litellm.example.com\n",
    ],
)
def test_not_an_address(url: str) -> None:
    with pytest.raises(ValueError, match="^url ") as caught:
        Connection(url=url, api_key=KEY)
    assert str(caught.value).endswith("give one such as https://litellm.example.com.")


@pytest.mark.parametrize("url", ["http://[::1]:4000", "https://llm.bücher.example/base", "HTTP://LITELLM"])
def test_an_address(url: str) -> None:
    assert Connection(url=url, api_key=KEY).base == url


@pytest.mark.parametrize(
    "url",
    [
        "https://admin:secret@litellm.example.com",
        "ftp://admin:secret@litellm.example.com",
        "https://litellm.example.com?key=secret",
        "https://litellm.example.com#secret",
        "admin:secret@litellm.example.com",
    ],
)
def test_an_address_that_holds_a_secret(url: str) -> None:
    with pytest.raises(ValueError, match="^url ") as caught:
        Connection(url=url, api_key=KEY)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["", " ", "sk-a b", "sk-a\n", "sk-\x00", "sk-ä", "sk-a\x7f"])
def test_not_a_key(key: str) -> None:
    with pytest.raises(ValueError, match="^api_key ") as caught:
        Connection(url="https://litellm.example.com", api_key=key)
    assert key.strip() == "" or key not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", 3601),
        ("timeout", float("nan")),
        ("retries", -1),
        ("retries", 21),
        ("retry_delay", -0.1),
        ("retry_delay", 61),
        ("parallel_calls", 0),
        ("parallel_calls", 65),
    ],
)
def test_numbers_out_of_range(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} is .*; give a number from"):
        Connection(url="https://litellm.example.com", api_key=KEY, **{name: value})  # type: ignore[arg-type]
