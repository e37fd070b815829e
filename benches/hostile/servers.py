"""A WeChat that notes what reaches it, and the proxies before it."""

import hashlib
import os
import re
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

KEY = "key-of-orders-0123456789"
SECRET = "canary-app-secret-4f1d"
TOKEN = b'{"access_token":"canned-token","expires_in":7200}'


class WeChat:
    """Answers every request, and keeps (head, body, whole) of each but token calls."""

    def __init__(self):
        self.seen = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            stream, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(stream,), daemon=True).start()

    def serve(self, stream):
        with stream, stream.makefile("rb") as read:
            while head := self.head(read):
                fetches = head.startswith(b"POST /cgi-bin/stable_token")
                entry = [head, b"", False]
                if not fetches:
                    self.seen.append(entry)
                entry[1], entry[2] = self.body(head, read)
                if not entry[2]:
                    return
                body = TOKEN if fetches else b'{"errcode":0}'
                answer = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                try:
                    stream.sendall(answer.encode() + (b"" if head.startswith(b"HEAD ") else body))
                except OSError:
                    return

    @staticmethod
    def head(read):
        head = b""
        try:
            while line := read.readline():
                head += line
                if line in (b"\r\n", b"\n"):
                    return head
        except OSError:
            pass
        return b""

    @staticmethod
    def body(head, read):
        """As a lenient server reads it: chunks before a length."""
        lower = head.lower()
        try:
            if re.search(rb"\ntransfer-encoding:[^\r\n]*chunked", lower):
                body = b""
                while line := read.readline():
                    size = int(line.split(b";")[0].strip() or b"0", 16)
                    body += read.read(size)
                    read.readline()
                    if not size:
                        return body, True
                return body, False
            found = re.search(rb"\ncontent-length: *(\d+)", lower)
            length = int(found[1]) if found else 0
            body = read.read(length)
            return body, len(body) == length
        except (OSError, ValueError, OverflowError):
            return b"", False


@dataclass
class Proxy:
    name: str
    version: str
    port: int
    program: subprocess.Popen

    def end(self):
        self.program.terminate()
        self.program.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def listens(port, program):
    for _ in range(1000):
        if program.poll() is not None:
            raise SystemExit(f"{program.args[0]} ended with {program.returncode}")
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"{program.args[0]} doesn't listen")


def start(name, version, port, command, folder, **more):
    with open(folder / f"{name}.log", "wb") as log:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, **more)
    listens(port, program)
    return Proxy(name, version, port, program)


def version(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return re.search(r"(\d+\.\d+[\w.]*)", done.stdout + done.stderr)[1]


def wxgate(path, folder, wechat, callers):
    """Its default configuration but for what a test needs: the fake WeChat, and statuses that tell refusals apart."""
    port, admin = free_port(), free_port()
    caller = (f'[[caller]]\nname = "orders"\nkey_sha256 = "{hashlib.sha256(KEY.encode()).hexdigest()}"\n'
              'apps = ["shop"]\nallow = ["GET /cgi-bin/user/get"]\n')
    name = "wxgate-callers" if callers else "wxgate"
    (folder / f"{name}.toml").write_text(
        f'[server]\nlisten = ["127.0.0.1:{port}"]\nworkers = 1\nerror_status = "http"\n'
        f'[admin]\nlisten = "127.0.0.1:{admin}"\n'
        f'[upstream]\nbase_urls = ["http://127.0.0.1:{wechat.port}"]\n'
        '[[app]]\nname = "shop"\nappid = "wx0000000000000001"\nsecret = { env = "SHOP_SECRET" }\ndefault = true\n'
        + (caller if callers else ""))
    command = [str(path.resolve()), "serve", "--config", f"{name}.toml"]
    proxy = start(name, version([str(path.resolve()), "--version"]), port, command, folder,
                  env={**os.environ, "SHOP_SECRET": SECRET})
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and b" 200 " not in ready(admin):
        time.sleep(0.05)
    return proxy


def ready(port):
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(b"GET /readyz?all HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return stream.recv(65536)


def nginx(folder, wechat):
    port = free_port()
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;\n"
        f"events {{ worker_connections 512; }}\nhttp {{ access_log off; client_body_temp_path {folder}/body;\n"
        f"proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_http_version 1.1; proxy_set_header Connection '';\n"
        f"proxy_pass http://127.0.0.1:{wechat.port}; }} }} }}\n")
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    return start("nginx", version(["nginx", "-v"]), port, command, folder)


def haproxy(folder, wechat):
    port = free_port()
    (folder / "haproxy.cfg").write_text(
        "defaults\n  mode http\n  timeout connect 3s\n  timeout client 30s\n  timeout server 30s\n  timeout http-request 30s\n"
        f"frontend in\n  bind 127.0.0.1:{port}\n  default_backend out\n"
        f"backend out\n  server wechat 127.0.0.1:{wechat.port}\n")
    return start("haproxy", version(["haproxy", "-v"]), port, ["haproxy", "-f", "haproxy.cfg"], folder)
