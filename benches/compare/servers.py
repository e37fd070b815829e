"""The servers of a comparison: their configurations, their start and their end."""

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TOKEN = "75_" + "T" * 147
KEY = "an-api-key-for-the-comparison"
# The shape of WeChat's short answers: 54 bytes.
ANSWER = '{"errcode":0,"errmsg":"ok","msgid":123456789012345678}'
HOST = "api.weixin.qq.com"
PACKAGES = {"nginx": "nginx-light", "wrk": "wrk", "openssl": "openssl", "valgrind": "valgrind"}

# One process and no master, so that the process we started is the one to measure and to end.
NGINX = """
daemon off; master_process off; pid {folder}/{name}.pid; error_log {folder}/{name}.err warn;
events {{ worker_connections 8192; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 300s;
  client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy; fastcgi_temp_path {folder}/{name}-f;
  uwsgi_temp_path {folder}/{name}-u; scgi_temp_path {folder}/{name}-s;
  {http}
}}
"""

ORIGIN = """
  sendfile on; tcp_nopush on; large_client_header_buffers 4 16k; open_file_cache max=10;
  default_type "application/json; encoding=utf-8";
  server {{
    listen 127.0.0.1:{http} backlog=8192; listen 127.0.0.1:{https} ssl backlog=8192;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key; ssl_protocols TLSv1.2 TLSv1.3;
    location / {{ return 200 '{answer}'; }}
    location = /cgi-bin/stable_token {{ return 200 '{{"access_token":"{token}","expires_in":7200}}'; }}
    location = /cgi-bin/media/get {{ default_type image/jpeg; alias {folder}/media.bin; }}
  }}
"""

# What one would write without wxgate: a token that never changes, appended to the query; nothing is looked at.
STATIC_PROXY = """
  upstream wechat {{ server 127.0.0.1:{origin}; keepalive 1024; keepalive_requests 100000000; keepalive_timeout 60s; }}
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host {host};
  proxy_ssl_session_reuse on; proxy_ssl_server_name on; proxy_ssl_name {host}; proxy_ssl_protocols TLSv1.2 TLSv1.3;
  server {{
    listen 127.0.0.1:{port} backlog=8192;
    set $separator "";
    if ($args) {{ set $separator "&"; }}
    set $args "$args${{separator}}access_token={token}";
    location / {{ proxy_pass {upstream}://wechat; }}
    location = /cgi-bin/media/get {{
      proxy_buffer_size 32k; proxy_buffers 8 32k; proxy_busy_buffers_size 128k; proxy_pass {upstream}://wechat;
    }}
  }}
"""

WXGATE = """
[server]
listen = ["127.0.0.1:{port}"]
workers = 1
[admin]
listen = "127.0.0.1:{admin}"
[upstream]
base_urls = ["{upstream}://{host}:{origin}"]
resolve = {{ "{host}" = ["127.0.0.1"] }}
{trust}
[[app]]
name = "shop"
appid = "wx0123456789abcdef"
secret = {{ env = "SHOP_SECRET" }}
default = true
{caller}
"""


class BenchError(Exception):
    """A comparison that can't go on."""


@dataclass
class Proxy:
    """A running proxy."""

    name: str
    port: int
    pid: int
    log: Path
    headers: dict

    def request(self, target, close=False):
        """A request as wrk sends it."""
        headers = {**self.headers, "Connection": "close"} if close else self.headers
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"GET {target} HTTP/1.1\r\n{head}\r\n".encode()


def missing_packages(options):
    """Debian packages that are needed and not there."""
    needed = ["nginx", "openssl", "valgrind" if options.instructions else "wrk"]
    return [PACKAGES[name] for name in needed if find(name) is None]


def find(name):
    """An unprivileged user's PATH may lack the folder of daemons."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


class Scene:
    """Starts servers in a folder of their own, each on the core that is its own."""

    PROXIES = ("nginx", "wxgate")

    def __init__(self, folder, options):
        self.folder = folder
        self.options = options
        self.proxy_core, self.load_core = options.cores
        # A proxy's worker gives up root if it can, and must still reach its files.
        folder.chmod(0o755)
        (folder / "media.bin").write_bytes(bytes(range(256)) * 400)
        self.certificate()

    def describe(self):
        nginx = subprocess.run([find("nginx"), "-v"], capture_output=True, text=True, check=False)
        wxgate = subprocess.run([self.options.wxgate, "--version"], capture_output=True, text=True, check=False)
        return f"{nginx.stderr.strip().removeprefix('nginx version: ')}, {wxgate.stdout.strip()}"

    def certificate(self):
        """A certificate for WeChat's name, signed by an authority made for the occasion."""
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        extensions = f"subjectAltName=DNS:{HOST}\nbasicConstraints=CA:FALSE\n"
        (self.folder / "server.ext").write_text(extensions)
        for command in (
            ["req", "-x509", *curve, "-subj", "/CN=compare", "-keyout", "ca.key", "-out", "ca.pem"],
            ["req", *curve, "-subj", f"/CN={HOST}", "-keyout", "server.key", "-out", "server.csr"],
            ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
             "-extfile", "server.ext", "-out", "server.pem"],
        ):
            made = subprocess.run(["openssl", *command], cwd=self.folder, capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise BenchError(f"openssl {command[0]}: {made.stderr}")

    @contextlib.contextmanager
    def upstream(self):
        """The stand-in for WeChat; gives its ports by scheme."""
        ports = dict(zip(("http", "https"), free_ports(2), strict=True))
        http = ORIGIN.format(**ports, folder=self.folder, answer=ANSWER, token=TOKEN)
        with self.running("origin", self.nginx("origin", http), ports["http"], self.load_core):
            yield ports

    @contextlib.contextmanager
    def proxies(self, upstream, origin):
        """All proxies at once, on one core: only the one under load uses it."""
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(self.proxy(name, upstream, origin)) for name in self.PROXIES]

    @contextlib.contextmanager
    def proxy(self, name, upstream, origin, prefix=(), patience=10):
        """One proxy in front of `origin`, started through the command `prefix` if there is one."""
        port, admin = free_ports(2)
        # wxgate refuses WeChat's name without TLS.
        host = HOST if upstream == "https" else "127.0.0.1"
        values = {"port": port, "upstream": upstream, "origin": origin[upstream], "host": host, "token": TOKEN}
        if name == "nginx":
            command = self.nginx("proxy", STATIC_PROXY.format(**values))
        else:
            trust = f'ca_file = "{self.folder}/ca.pem"' if upstream == "https" else ""
            config = self.folder / "wxgate.toml"
            config.write_text(WXGATE.format(**values, admin=admin, trust=trust, caller=self.caller()))
            command = [self.options.wxgate, "serve", "--config", config]
        with self.running(name, [*prefix, *command], port, self.proxy_core, patience) as process:
            proxy = Proxy(name, port, process.pid, self.folder / f"{name}.log", self.headers())
            self.check(proxy)
            yield proxy

    def caller(self):
        if not self.options.caller:
            return ""
        digest = hashlib.sha256(KEY.encode()).hexdigest()
        return f'[[caller]]\nname = "orders"\nkey_sha256 = "{digest}"\napps = ["shop"]\n'

    def headers(self):
        """What each request has; nginx passes the key on, so that it has the same bytes to read."""
        plain = {"Host": HOST, "User-Agent": "Mozilla/5.0 compare", "Accept": "*/*"}
        return {**plain, "Authorization": f"Bearer {KEY}"} if self.options.caller else plain

    def nginx(self, name, http):
        config = self.folder / f"{name}.conf"
        config.write_text(NGINX.format(folder=self.folder, name=name, http=http))
        return [find("nginx"), "-c", config, "-e", self.folder / f"{name}.err"]

    @contextlib.contextmanager
    def running(self, name, command, port, core, patience=10):
        """Runs `command` on `core`; it listens on `port` when this yields, and has ended when this returns."""
        log = self.folder / f"{name}.log"
        with open(log, "wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**os.environ, "SHOP_SECRET": "0123456789abcdef0123456789abcdef"},
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
            )
        try:
            wait_for(port, process, patience, log)
            yield process
        finally:
            end(process, patience)

    def check(self, proxy):
        """Both must do the job before either is measured: the first answer shows that the token went in."""
        answer = b""
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as connection:
                connection.sendall(proxy.request("/cgi-bin/user/info?openid=o", close=True))
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            if answer.startswith(b"HTTP/1.1 200") and answer.endswith(ANSWER.encode()):
                return
            time.sleep(0.1)
        raise BenchError(f"{proxy.name} answers {answer!r}\n{tail(proxy.log)}")


def end(process, patience):
    """Ends what was started here, gently if possible."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        # More than once: nginx sleeps on if the signal comes just before it waits for events.
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=3)
            return
    process.kill()
    process.wait()


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_for(port, process, patience, log):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise BenchError(f"{process.args[0]} does not listen\n{tail(log)}")


def tail(log):
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])
