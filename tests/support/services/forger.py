# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""An OpenID Connect provider that signs whatever a test wants: for the faults that a real provider cannot be made to show."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import RSAKey

_ANOTHER_USE = RSAKey.generate_key(2048)
CLIENT, SECRET = "portal", "a secret: with %signs+"


@dataclass
class Forger:
    """What it says. `claims` are laid over those of a right token; None removes one."""

    url: str = ""
    now: float = 0.0
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    published: RSAKey | None = None
    """The key that it publishes, if it is not the one that it signs with."""
    is_down: bool = False
    refuses: str = ""
    """The error with which it answers instead of a token."""
    calls: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def authorize(self, address: str) -> str:
        """Sign somebody in who was sent to `address`, and return where they are sent back to."""
        given = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert (given["client_id"], given["response_type"], given["code_challenge_method"]) == (CLIENT, "code", "S256")
        code = f"code-{len(self.codes)}"
        self.codes[code] = given
        return f"{given['redirect_uri']}?{urlencode({'code': code, 'state': given['state']})}"

    def answer(self, path: str, fields: dict[str, str], credentials: str) -> tuple[int, Any]:
        self.calls.append(path)
        if self.is_down:
            return 503, {}
        if path == "/.well-known/openid-configuration":
            return 200, {**self._usual_metadata, **self.metadata}
        if path == "/keys":
            encrypts = {**_ANOTHER_USE.as_dict(private=False), "use": "enc", "kid": self.key.kid}
            return 200, {"keys": [encrypts, (self.published or self.key).as_dict(private=False)]}
        if path == "/userinfo":
            return 200, self.userinfo
        return self._token(fields, credentials)

    @property
    def _usual_metadata(self) -> dict[str, Any]:
        paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys", "end_session_endpoint": "logout"}
        more = {"userinfo_endpoint": f"{self.url}/userinfo"} if self.userinfo is not None else {}
        return {"issuer": self.url, **{name: f"{self.url}/{path}" for name, path in paths.items()}, **more}

    def _token(self, fields: dict[str, str], credentials: str) -> tuple[int, Any]:
        asked = self.codes.pop(fields.get("code", ""), None)
        if self.refuses:
            return 400, {"error": self.refuses, "error_description": "no"}
        name, _colon, secret = base64.b64decode(credentials.partition(" ")[2]).decode().partition(":")
        if (unquote_plus(name), unquote_plus(secret)) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        challenge = _encoded(hashlib.sha256(fields.get("code_verifier", "").encode()).digest())
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != fields.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        usual = {"iss": self.url, "aud": CLIENT, "sub": "1", "iat": int(self.now), "exp": int(self.now) + 3600, "nonce": asked["nonce"]}
        claims = {**usual, "email": "ada@example.com", "email_verified": True, "groups": [], **self.claims}
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self._signed({name: v for name, v in claims.items() if v is not None})}

    def _signed(self, claims: dict[str, Any]) -> str:
        body, header = json.dumps(claims).encode(), {"alg": self.algorithm, "kid": self.key.kid}
        if self.algorithm == "RS256":
            return jws.serialize_compact(header, body, self.key, algorithms=["RS256"])
        text = ".".join(_encoded(part) for part in (json.dumps(header).encode(), body))
        # With HS256, the secret is what everybody can read: the public key.
        signature = hmac.digest(self.key.as_pem(private=False), text.encode(), "sha256") if self.algorithm == "HS256" else b""
        return f"{text}.{_encoded(signature)}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@contextmanager
def running_forger(**options: Any) -> Iterator[Forger]:
    """Run a forger on this machine while the block runs."""
    forger = Forger(**options)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            fields = {name: values[0] for name, values in parse_qs(body).items()}
            status, found = forger.answer(urlsplit(self.path).path, fields, self.headers.get("Authorization", ""))
            answer = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        forger.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield forger
        finally:
            server.shutdown()
            thread.join()
