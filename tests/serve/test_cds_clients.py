"""A card goes to the record system that signed for it, and to nobody else."""

import http.server
import json
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.testclient import TestClient

from calcinosis.errors import InputError
from calcinosis.serve.cds_clients import CdsClient, CdsTrust, cds_trust
from calcinosis.serve.cds_hooks import cds_routes
from calcinosis.serve.tls import Tls
from certificates import Authority

ISSUER, BASE = "https://record.hospital.test", "https://cds.hospital.test"
SERVICE = "/cds-services/calcinosis-patient-view"
EC, RSA = ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)
OTHER = ec.generate_private_key(ec.SECP384R1())
KEYS = {
    "keys": [
        {**ECAlgorithm.to_jwk(EC.public_key(), as_dict=True), "kid": "ec"},
        {**RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "kid": "rsa"},
    ]
}
REQUEST = {
    "hook": "patient-view",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "context": {"userId": "Practitioner/7", "patientId": "P1"},
    "prefetch": {"conditions": None, "labs": None},
}


def token(key=EC, algorithm="ES384", header=None, **claims):
    now = int(time.time())
    said = {"iss": ISSUER, "aud": BASE + SERVICE, "iat": now, "exp": now + 300}
    said |= {"jti": str(uuid4()), **claims}
    kept = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(kept, key, algorithm, {"kid": "ec", **(header or {})})


@pytest.fixture
def keys(tmp_path):
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(KEYS))
    return file


@pytest.fixture
def client(keys):
    trust = CdsTrust(BASE, (CdsClient(ISSUER, str(keys)),), ("https://record.hospital.test",))
    with TestClient(Starlette(routes=cds_routes(trust)), base_url="http://inside") as opened:
        yield opened


def ask(client, given):
    headers = {} if given is None else {"Authorization": f"Bearer {given}"}
    answer = client.post(SERVICE, json=REQUEST, headers=headers)
    return answer.status_code, answer.json().get("error", "")


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(EC, "ES384", "ec"), (RSA, "RS384", "rsa")])
def test_both_algorithms_of_the_standard_are_accepted(client, key, algorithm, kid):
    assert ask(client, token(key, algorithm, {"kid": kid})) == (200, "")


def test_discovery_is_open_to_all(client):
    assert client.get("/cds-services").status_code == 200


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda: None, "no token"),
        (lambda: "nonsense", "does not hold"),
        (lambda: token(OTHER), "InvalidSignature"),
        (lambda: token(header={"kid": "gone"}), "kid: not among the keys"),
        (lambda: token(iss="https://elsewhere.test"), "iss: not a client known here"),
        (lambda: token(aud=BASE), "InvalidAudience"),
        (lambda: token(aud=BASE + "/cds-services/calcinosis-order-select"), "InvalidAudience"),
        (lambda: token(aud="http://inside" + SERVICE), "InvalidAudience"),
        (lambda: token(exp=int(time.time()) - 120), "ExpiredSignature"),
        (lambda: token(iat=int(time.time()) + 120), "ImmatureSignature"),
        (lambda: token(exp=int(time.time()) + 9000), "exp: later than 3600 s"),
        (lambda: token(RSA, "RS256", {"kid": "rsa"}), "InvalidAlgorithm"),
        (lambda: token("a secret of some length, at least 32 bytes", "HS256"), "InvalidAlgorithm"),
        *(
            (lambda name=name: token(**{name: None}), "MissingRequiredClaim")
            for name in ("aud", "exp", "iat", "jti")
        ),
        (lambda: token(exp=str(int(time.time()) + 7200)), "exp: later than 3600 s after iat"),
    ],
)
def test_any_other_token_is_refused_with_one_line(client, given, told):
    status, line = ask(client, given())
    assert status == 401
    assert told in line


def test_a_token_counts_once(client):
    once = token()
    assert ask(client, once) == (200, "")
    assert ask(client, once) == (401, "jti: this token has been used")


def test_a_withdrawn_key_is_believed_no_longer(client, keys, monkeypatch):
    assert ask(client, token())[0] == 200
    keys.write_text(json.dumps({"keys": KEYS["keys"][1:]}))
    monkeypatch.setattr("calcinosis.serve.cds_clients.FRESH_S", 0.0)
    monkeypatch.setattr("calcinosis.serve.cds_clients.AGAIN_S", 0.0)
    assert ask(client, token()) == (401, f"kid: not among the keys of {ISSUER}")
    keys.write_text("not JSON")
    assert ask(client, token()) == (401, f"the keys of {ISSUER} cannot be read")


def test_who_asks_while_the_keys_are_read_waits_for_them(keys, monkeypatch):
    CdsClient(ISSUER, str(keys)).key("ec")  # all is imported
    record, load = CdsClient(ISSUER, str(keys)), json.loads

    def slow(text):
        time.sleep(0.2)
        return load(text)

    monkeypatch.setattr("calcinosis.serve.cds_clients.json.loads", slow)
    with ThreadPoolExecutor(4) as askers:
        found = list(askers.map(record.key, ["ec", "rsa"] * 2))
    assert [key.key_id for key in found] == ["ec", "rsa"] * 2


class KeySet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(KEYS).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_keys_come_by_https_from_the_address_known_and_no_other(tmp_path):
    authority = Authority(tmp_path)
    certified = authority.vouch_for("record")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certified.certificate, certified.key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), KeySet) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"https://127.0.0.1:{server.server_port}/jwks.json"
        trust = cds_trust(BASE, (f"{ISSUER}={url}",), (), Tls(authority=authority.file))
        with TestClient(Starlette(routes=cds_routes(trust))) as client:
            assert ask(client, token()) == (200, "")
            assert ask(client, token(header={"jku": url})) == (200, "")
            elsewhere = token(header={"jku": "https://elsewhere.test/jwks.json"})
            assert ask(client, elsewhere) == (401, f"jku: not the one known of {ISSUER}")
        server.shutdown()


def test_a_page_may_ask_from_an_origin_that_is_known(client):
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    known = client.options(SERVICE, headers={"Origin": ISSUER, **asked})
    assert known.status_code == 200
    assert known.headers["access-control-allow-origin"] == ISSUER
    assert "authorization" in known.headers["access-control-allow-headers"].lower()
    found = client.get("/cds-services", headers={"Origin": ISSUER})
    assert found.headers["access-control-allow-origin"] == ISSUER
    stranger = client.options(SERVICE, headers={"Origin": "https://elsewhere.test", **asked})
    assert stranger.status_code == 400
    assert "access-control-allow-origin" not in stranger.headers


def test_the_address_that_others_see_may_end_in_a_slash():
    assert cds_trust(f"{BASE}/node/", (), (), Tls()).web_url == f"{BASE}/node"


@pytest.mark.parametrize(
    ("web_url", "clients", "origins", "told"),
    [
        (None, (f"{ISSUER}=https://h/jwks",), (), "--cds-client needs --web-url"),
        (BASE, (ISSUER,), (), "--cds-client cannot be read"),
        (BASE, (f"{ISSUER}=http://h/jwks",), (), "--cds-client cannot be read"),
        (BASE, (), ("*",), "--cds-origin cannot be read"),
        (BASE, (), ("https://host/path",), "--cds-origin cannot be read"),
        ("host", (), (), "--web-url cannot be read"),
    ],
)
def test_what_cannot_be_used_is_told_at_the_start(web_url, clients, origins, told):
    with pytest.raises(InputError, match=told):
        cds_trust(web_url, clients, origins, Tls())
