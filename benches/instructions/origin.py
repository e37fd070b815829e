"""A fake WeChat whose answers depend on the requests alone: the same requests cost wxgate the same work."""

import contextlib
import json
import re
import socketserver
import threading

# The shape of WeChat's short answers: 54 bytes.
ANSWER = b'{"errcode":0,"errmsg":"ok","msgid":123456789012345678}'
REJECTED = b'{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest rid: 6955b900"}'
# Asked about quotas it says that this question is used up, so that wxgate asks once an app and not again.
USED_UP = b'{"errcode":45009,"errmsg":"reach max api daily quota limit rid: 6955b900"}'


class Origin:
    """Listens as long as the context lasts. Where `tokens_die`, each token is good for one call."""

    def __init__(self, tokens_die=False):
        self.tokens_die = tokens_die
        self.lock = threading.Lock()
        self.fetched = 0
        self.quota_asked = 0
        self.calls = 0
        self.rejected = 0
        self.tokens = {}
        self.spent = set()
        self.server = Server(("127.0.0.1", 0), Conversation)
        self.server.origin = self
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, target, body):
        path = target.split("?")[0]
        with self.lock:
            if path == "/cgi-bin/stable_token":
                return self.issue(json.loads(body)["appid"])
            if path == "/cgi-bin/openapi/quota/get":
                self.quota_asked += 1
                return USED_UP
            self.calls += 1
            if self.tokens_die:
                token = re.search(r"access_token=([^&]*)", target)[1]
                if token in self.spent:
                    self.rejected += 1
                    return REJECTED
                self.spent.add(token)
            return ANSWER

    def issue(self, appid):
        self.fetched += 1
        if self.tokens_die or appid not in self.tokens:
            # As long as WeChat's own, whatever its number.
            self.tokens[appid] = f"75_{self.fetched:09d}".ljust(150, "T")
        return json.dumps({"access_token": self.tokens[appid], "expires_in": 7200}).encode()


class Server(socketserver.ThreadingTCPServer):
    """A thread for each connection of wxgate's."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


class Conversation(socketserver.StreamRequestHandler):
    """A connection."""

    disable_nagle_algorithm = True

    def handle(self):
        # wxgate ends connections as it likes.
        with contextlib.suppress(ConnectionError):
            self.converse()

    def converse(self):
        while line := self.rfile.readline():
            length = 0
            while (header := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            body = self.rfile.read(length)
            answer = self.server.origin.answer(line.split(b" ")[1].decode(), body)
            # Head and body in one piece, so that wxgate reads once.
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Type: application/json; encoding=utf-8\r\n"
                b"Content-Length: %d\r\nConnection: keep-alive\r\n\r\n%s" % (len(answer), answer)
            )
