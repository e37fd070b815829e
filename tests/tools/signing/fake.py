"""A WeChat that takes signed calls alone, written from WeChat's pages with Python's `cryptography`: a third reading of them
beside wxgate's and its sandbox's.

    fake.py VECTORS

First it checks itself against what WeChat published. Then it reads a line of JSON: appid, secret, aes_key, aes_key_sn,
public_key (PEM), endpoints (a list of paths, or "all"). It prints one: port, serial, certificate (PEM). It ends with its input.

    POST /cgi-bin/stable_token   the token
    POST (an endpoint)           signed: {"errcode":0,"errmsg":"ok","echo":(the plaintext as it came)}
    POST /fake/rotate            the token is dead
    GET /fake/stats              {"requests","errors":{errcode:count},"repeated_nonces"}
"""

import base64
import datetime
import hashlib
import json
import os
import secrets
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

WECHAT = "https://api.weixin.qq.com"
INTRACITY = "/cgi-bin/express/intracity/"
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
TOLERANCE = 300


def decode(text):
    return base64.b64decode(text, validate=True)


def encode(octets):
    return base64.b64encode(octets).decode()


def signed_text(path, appid, timestamp, body):
    return f"{WECHAT}{path}\n{appid}\n{timestamp}\n".encode() + body


def verifies(key, path, appid, timestamp, body, signature):
    try:
        key.verify(decode(signature), signed_text(path, appid, timestamp, body), PSS, hashes.SHA256())
        return True
    except (InvalidSignature, ValueError):
        return False


def opened(aes_key, sn, path, appid, timestamp, body):
    """The plaintext's bytes; ValueError if there is none."""
    try:
        parts = json.loads(body)
        iv, data, tag = (decode(parts[name]) for name in ("iv", "data", "authtag"))
        if len(iv) != 12 or len(tag) != 16:
            raise ValueError("a length")
        aad = f"{WECHAT}{path}|{appid}|{timestamp}|{sn}".encode()
        return AESGCM(aes_key).decrypt(iv, data + tag, aad)
    except (InvalidTag, KeyError, TypeError, AttributeError) as error:
        raise ValueError("not to be decrypted") from error


def sealed(aes_key, sn, path, appid, timestamp, plaintext):
    iv = os.urandom(12)
    aad = f"{WECHAT}{path}|{appid}|{timestamp}|{sn}".encode()
    both = AESGCM(aes_key).encrypt(iv, plaintext, aad)
    return json.dumps({"iv": encode(iv), "data": encode(both[:-16]), "authtag": encode(both[-16:])}).encode()


def check(vectors):
    """What WeChat published must verify and decrypt, in both directions; with anything changed, not."""
    key, sn, appid = decode(vectors["aes_key"]), vectors["aes_key_sn"], vectors["appid"]
    path = vectors["url"].removeprefix(WECHAT)
    public = serialization.load_pem_public_key(vectors["public_key_of_the_request_pem"].encode())
    platform = x509.load_pem_x509_certificate(vectors["platform_certificate_pem"].encode()).public_key()
    for part, signer in ((vectors["request"], public), (vectors["answer"], platform)):
        at, body, signature = part["timestamp"], part["body"].encode(), part["signature"]
        assert verifies(signer, path, appid, at, body, signature)
        assert not verifies(signer, path, appid, at + 1, body, signature)
        said = json.loads(opened(key, sn, path, appid, at, body))
        assert (said["_appid"], said["_timestamp"]) == (appid, at)
    assert said == vectors["plaintext_of_the_answer"]
    digest = hashlib.sha256(signed_text(path, appid, at, body)).hexdigest()
    assert digest.startswith(vectors["answer"]["sha256_of_signed_text"])
    assert opened(key, sn, path, appid, 1, sealed(key, sn, path, appid, 1, b"{}")) == b"{}"


class Refused(Exception):
    """Answered in clear."""


class Platform:
    """The one app, its token, and the platform's key."""

    def __init__(self, app):
        self.appid, self.secret = app["appid"], app["secret"]
        self.aes_key, self.aes_key_sn = decode(app["aes_key"]), app["aes_key_sn"]
        self.public_key = serialization.load_pem_public_key(app["public_key"].encode())
        self.endpoints = app["endpoints"]
        self.token = None
        self.nonces = set()
        self.stats = {"requests": 0, "errors": {}, "repeated_nonces": 0}
        self.lock = threading.Lock()
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.serial = secrets.token_hex(16)

    def certificate(self):
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a fake platform")])
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=365))
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, body):
        asked = json.loads(body)
        if asked.get("appid") != self.appid:
            raise Refused(40013)
        if asked.get("secret") != self.secret:
            raise Refused(40125)
        with self.lock:
            if self.token is None or asked.get("force_refresh") is True:
                self.token = "99_" + secrets.token_urlsafe(60)
            return {"access_token": self.token, "expires_in": 7200}

    def demands(self, path):
        return self.endpoints == "all" or path in self.endpoints

    def opened(self, path, query, headers, body):
        """The plaintext of a request, as text."""
        signature = headers.get("Wechatmp-Signature")
        if not signature:
            raise Refused(934011 if path.startswith(INTRACITY) else 40232)
        timestamp, appid = headers.get("Wechatmp-TimeStamp"), headers.get("Wechatmp-Appid")
        if not timestamp:
            raise Refused(40231)
        if not appid:
            raise Refused(40233)
        if appid != self.appid:
            raise Refused(40236)
        if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE:
            raise Refused(40240)
        if [name for name, _ in query] != ["access_token"]:
            raise Refused(40234)
        if not verifies(self.public_key, path, appid, timestamp, body, signature):
            raise Refused(40234)
        try:
            plaintext = opened(self.aes_key, self.aes_key_sn, path, appid, timestamp, body).decode()
            said = json.loads(plaintext, object_pairs_hook=without_repeats)
            nonce = said["_n"]
            length = len(decode(nonce + "=" * (-len(nonce) % 4)))
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(40235) from error
        if said.get("_appid") != appid:
            raise Refused(40237)
        # A number, not the same digits as text.
        if type(said.get("_timestamp")) is not int or said["_timestamp"] != int(timestamp):
            raise Refused(40235)
        if not 16 <= length <= 32:
            raise Refused(40235)
        with self.lock:
            self.stats["repeated_nonces"] += nonce in self.nonces
            self.nonces.add(nonce)
        return plaintext

    def sealed(self, path, fields):
        """Headers and body of an answer; `fields` is what comes behind the protocol's own, as text."""
        timestamp = int(time.time())
        head = {"_n": encode(os.urandom(16)), "_appid": self.appid, "_timestamp": timestamp}
        plaintext = json.dumps(head)[:-1] + "," + fields + "}"
        body = sealed(self.aes_key, self.aes_key_sn, path, self.appid, timestamp, plaintext.encode())
        text = signed_text(path, self.appid, timestamp, body)
        headers = {
            "Wechatmp-Appid": self.appid,
            "Wechatmp-TimeStamp": str(timestamp),
            "Wechatmp-Serial": self.serial,
            "Wechatmp-Signature": encode(self.key.sign(text, PSS, hashes.SHA256())),
        }
        return headers, body


def without_repeats(pairs):
    """A name twice in an object would be read in two ways."""
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    platform = None

    def do_GET(self):
        path = urlsplit(self.path).path
        self.answer(self.platform.stats if path == "/fake/stats" else {"errcode": 43002, "errmsg": "require POST method"})

    def do_POST(self):
        platform = self.platform
        target = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = parse_qsl(target.query, keep_blank_values=True)
        if target.path == "/fake/rotate":
            platform.token = None
            return self.answer({"errcode": 0})
        with platform.lock:
            platform.stats["requests"] += 1
        try:
            if target.path == "/cgi-bin/stable_token":
                return self.answer(platform.issue(body))
            plaintext = None
            if platform.demands(target.path):
                plaintext = platform.opened(target.path, query, self.headers, body)
            if platform.token is None or dict(query).get("access_token") != platform.token:
                raise Refused(40001)
            if plaintext is None:
                return self.answer({"errcode": 0, "errmsg": "ok"})
            headers, body = platform.sealed(target.path, f'"errcode":0,"errmsg":"ok","echo":{plaintext}')
            return self.send(headers, body)
        except Refused as refused:
            (errcode,) = refused.args
            with platform.lock:
                errors = platform.stats["errors"]
                errors[str(errcode)] = errors.get(str(errcode), 0) + 1
            return self.answer({"errcode": errcode, "errmsg": f"refused rid: {secrets.token_hex(4)}"})

    def answer(self, value):
        self.send({}, json.dumps(value).encode())

    def send(self, headers, body):
        self.send_response(200)
        headers = {"Content-Type": "application/json; encoding=utf-8", "Content-Length": str(len(body)), **headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        check(json.load(file))
    Handler.platform = platform = Platform(json.loads(sys.stdin.readline()))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ready = {"port": server.server_port, "serial": platform.serial, "certificate": platform.certificate()}
    print(json.dumps(ready), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
