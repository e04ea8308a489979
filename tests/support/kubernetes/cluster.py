# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A real Kubernetes API for tests: etcd and kube-apiserver on loopback, with RBAC and without nodes.

It has no controller manager, so nothing deletes the objects of a deleted namespace, and no service account exists
until it is created. Each test takes a namespace of its own and leaves it behind; the whole cluster is deleted at the end.
"""

from __future__ import annotations

import base64
import ctypes
import datetime
import ipaddress
import json
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes import build
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

START_SECONDS = 90
STOP_SECONDS = 10
PR_SET_PDEATHSIG = 1

PASS_RULES = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "create", "patch"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "patch"]},
]
"""The least rights of an account that makes passes over requests in Kubernetes."""


@dataclass(frozen=True)
class Account:
    """A user of the cluster, with a token and a kubeconfig file that holds it."""

    name: str
    namespace: str
    token: str
    kubeconfig: Path


class Cluster:
    """A running cluster. A context manager that ends both processes when its block is left."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.assets = build.assets()
        self.ca_file = directory / "ca.crt"
        self.admin_token = secrets.token_urlsafe(24)
        self.startup_seconds = 0.0
        self._etcd: subprocess.Popen[bytes] | None = None
        self._api: subprocess.Popen[bytes] | None = None
        self._etcd_port = self._api_port = 0
        self._session = requests.Session()
        self._session.trust_env = False  # ignore a CA bundle or a proxy from the environment

    def __enter__(self) -> Self:
        begun = time.monotonic()
        make_certificates(self.directory)
        (self.directory / "tokens.csv").write_text(f"{self.admin_token},admin,admin,system:masters\n", encoding="ascii")
        self._session.verify = str(self.ca_file)
        self._session.headers["Authorization"] = f"Bearer {self.admin_token}"
        try:
            self._etcd_port, peer_port, self._api_port = _free_ports(3)
            client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{peer_port}"
            self._etcd = self._run(
                "etcd",
                [
                    f"--data-dir={self.directory / 'etcd'}",
                    f"--listen-client-urls={client}",
                    f"--advertise-client-urls={client}",
                    f"--listen-peer-urls={peer}",
                    f"--initial-advertise-peer-urls={peer}",
                    f"--initial-cluster=default={peer}",
                    "--unsafe-no-fsync",
                ],
            )
            self.start_api()
        except BaseException:
            self.stop()
            raise
        self.admin = Account("admin", "default", self.admin_token, self._write_kubeconfig("admin", self.admin_token, "default"))
        self.startup_seconds = time.monotonic() - begun
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def server(self) -> str:
        """The address of the API."""
        return f"https://127.0.0.1:{self._api_port}"

    def start_api(self) -> None:
        """Start the API server and wait until it and its RBAC rules are ready."""
        files = self.directory
        self._api = self._run(
            "kube-apiserver",
            [
                f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                f"--secure-port={self._api_port}",
                f"--cert-dir={files}",
                f"--tls-cert-file={files / 'server.crt'}",
                f"--tls-private-key-file={files / 'server.key'}",
                f"--token-auth-file={files / 'tokens.csv'}",
                "--authorization-mode=RBAC",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={files / 'accounts.key'}",
                f"--service-account-signing-key-file={files / 'accounts.key'}",
                "--service-cluster-ip-range=10.0.0.0/24",
                "--endpoint-reconciler-type=none",
                "--profiling=false",
            ],
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self._api.poll() is not None or (self._etcd is not None and self._etcd.poll() is not None):
                raise RuntimeError(f"The Kubernetes API ended while starting: {self._log_tail()}")
            try:
                if self._session.get(f"{self.server}/readyz", timeout=5).status_code == 200:
                    return
            except requests.RequestException:
                pass
            if time.monotonic() > deadline:
                raise RuntimeError(f"The Kubernetes API was not ready after {START_SECONDS} s: {self._log_tail()}")
            time.sleep(0.1)

    def stop_api(self) -> None:
        """Stop the API server. What it stored stays in etcd."""
        _end(self._api)
        self._api = None

    def stop(self) -> None:
        """Stop both processes."""
        self.stop_api()
        _end(self._etcd)
        self._etcd = None

    @contextmanager
    def api_down(self) -> Iterator[None]:
        """Stop the API inside the block, and start it on the same port afterwards."""
        self.stop_api()
        try:
            yield
        finally:
            self.start_api()

    def call(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> Any:
        """Call the API as the administrator and return its answer. Raises requests.HTTPError with the API's message."""
        answer = self._session.request(method, self.server + path, data=None if body is None else json.dumps(body), headers={"Content-Type": kind}, timeout=30)
        if not answer.ok:
            raise requests.HTTPError(f"{answer.status_code} {answer.text}", response=answer)
        return answer.json()

    def namespace(self, prefix: str = "test") -> str:
        """A new, empty namespace."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": f"{prefix}-"}}
        name: str = self.call("POST", "/api/v1/namespaces", body)["metadata"]["name"]
        return name

    def account(self, namespace: str, verbs: Sequence[str], *, resources: Sequence[str] = ("secrets",), lifetime: int = 3600) -> Account:
        """Create a service account with a token that allows `verbs` on `resources` in `namespace` and nothing else."""
        rules = [{"apiGroups": [""], "resources": list(resources), "verbs": list(verbs)}]
        return self.account_with_rules(namespace, rules, lifetime=lifetime)

    def account_with_rules(self, namespace: str, rules: Sequence[dict[str, Any]], *, lifetime: int = 3600) -> Account:
        """Create a service account with a token and a Role of these rules. `lifetime` is in seconds; the API grants at least 600."""
        base = f"/api/v1/namespaces/{namespace}"
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        made = self.call("POST", f"{base}/serviceaccounts", {"metadata": {"generateName": "account-"}})
        name: str = made["metadata"]["name"]
        self.call("POST", f"{rbac}/roles", {"metadata": {"name": name}, "rules": list(rules)})
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
        self.call("POST", f"{rbac}/rolebindings", binding)
        return self.existing_account(namespace, name, lifetime=lifetime)

    def existing_account(self, namespace: str, name: str, *, lifetime: int = 3600) -> Account:
        """Return a service account that exists, with a new token."""
        wish = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": lifetime}}
        token: str = self.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", wish)["status"]["token"]
        return Account(name, namespace, token, self._write_kubeconfig(f"{namespace}-{name}", token, namespace))

    def expired_continue(self, token: str) -> str:
        """Return a continue token for the same place in a listing so old that etcd no longer has its revision."""
        place = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        etcd = f"http://127.0.0.1:{self._etcd_port}/v3/kv"
        revision = self._session.post(f"{etcd}/range", json={"key": "AA=="}, timeout=30).json()["header"]["revision"]
        self._session.post(f"{etcd}/compaction", json={"revision": revision}, timeout=30)
        return base64.urlsafe_b64encode(json.dumps({**place, "rv": 1}).encode()).decode().rstrip("=")

    def kubectl(self, *arguments: str, account: Account | None = None, namespace: str | None = None) -> str:
        """Run kubectl of the same release and return what it prints. Raises subprocess.CalledProcessError if it fails."""
        who = account or self.admin
        command = [str(self.assets / "kubectl"), f"--kubeconfig={who.kubeconfig}", f"--namespace={namespace or who.namespace}"]
        return subprocess.run([*command, *arguments], check=True, capture_output=True, text=True, timeout=60).stdout

    def _run(self, name: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        with open(self.directory / f"{name}.log", "ab") as log:
            return subprocess.Popen(
                [str(self.assets / name), *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - it takes no lock that a thread of ours could hold
            )

    def _log_tail(self) -> str:
        logs = sorted(self.directory.glob("*.log"))
        return " | ".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in logs)

    def _write_kubeconfig(self, name: str, token: str, namespace: str) -> Path:
        path = self.directory / f"{name}.kubeconfig"
        authority = base64.b64encode(self.ca_file.read_bytes()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.server, "certificate-authority-data": authority}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name, "namespace": namespace}}],
            "current-context": "test",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config), encoding="utf-8")
        return path


@contextmanager
def running() -> Iterator[Cluster]:
    """Run a cluster in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="kube-") as directory, Cluster(Path(directory)) as cluster:
        yield cluster


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _die_with_parent() -> None:
    """Make a server end with the test run, even if that is killed with SIGKILL."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _socket in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def make_certificates(directory: Path) -> None:
    """Write an authority, a certificate for 127.0.0.1 and the key that signs service account tokens."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])

    def begin(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )

    signs = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    ca = (
        begin(ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(signs, critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    server = (
        begin(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")]), server_key)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    (directory / "ca.crt").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (directory / "server.crt").write_bytes(server.public_bytes(serialization.Encoding.PEM))
    _write_key(directory / "server.key", server_key)
    _write_key(directory / "accounts.key", rsa.generate_private_key(public_exponent=65537, key_size=2048))


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
