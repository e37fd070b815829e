"""What is compared: an upstream that stands in for WeChat, and the proxies before it."""

import contextlib
import functools
import hashlib
import re
import socket
import subprocess
import time
from pathlib import Path

import work
from servers import BenchError, Server, find, free_ports, running, tail

CONFIGURATIONS = Path(__file__).resolve().parent / "configurations"
TOKEN = "75_" + "T" * 147
PROXIES = ("nginx", "lua", "haproxy", "wxgate")
# The load speaks HTTP to the upstream itself: what is possible at most. It isn't a proxy, and costs
# none.
DIRECT = "direct"
ALL = (*PROXIES, DIRECT)


@functools.cache
def modules():
    """The folder of nginx's modules, if Lua is among them."""
    shown = subprocess.run([find("nginx"), "-V"], capture_output=True, text=True, check=False).stderr
    path = re.search(r"--modules-path=(\S+)", shown)
    folder = Path(path[1]) if path else Path("/usr/lib/nginx/modules")
    return folder if (folder / "ngx_http_lua_module.so").exists() else None


def rendered(name, **values):
    """A configuration with `@name@` filled in."""
    return re.sub(r"@(\w+)@", lambda found: str(values[found[1]]), (CONFIGURATIONS / name).read_text())


class Bench:
    """Starts upstream and proxies in a folder of their own, each on the core that is its own.

    `plain` leaves out the limits and all access logs but wxgate's, and the caller unless there is a
    key."""

    def __init__(self, folder, options, key=work.KEY, plain=False):
        self.folder, self.options, self.key, self.plain = folder, options, key, plain
        self.proxy_core, self.load_core = options.cores
        # A proxy's worker gives up root if it can, and must still reach its files.
        folder.chmod(0o755)
        (folder / "media.bin").write_bytes(work.MEDIA)
        self.certificate()

    def certificate(self):
        """A certificate for WeChat's name, signed by an authority made for the occasion."""
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        (self.folder / "server.ext").write_text(f"subjectAltName=DNS:{work.HOST}\nbasicConstraints=CA:FALSE\n")
        for command in (
            ["req", "-x509", *curve, "-subj", "/CN=compare", "-keyout", "ca.key", "-out", "ca.pem"],
            ["req", *curve, "-subj", f"/CN={work.HOST}", "-keyout", "server.key", "-out", "server.csr"],
            ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
             "-extfile", "server.ext", "-out", "server.pem"],
        ):
            made = subprocess.run(["openssl", *command], cwd=self.folder, capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise BenchError(f"openssl {command[0]}: {made.stderr}")

    @contextlib.contextmanager
    def upstream(self):
        """The stand-in for WeChat; gives its ports by scheme."""
        port, tls_port = free_ports(2)
        lua = modules()
        answer = {"answer": work.ANSWER, "length": len(work.ANSWER)}
        values = {"folder": self.folder, "port": port, "tls_port": tls_port, "token": TOKEN, **answer,
                  "modules": "", "http": "", "locations": ""}
        if lua:
            values |= {"modules": f"load_module {lua}/ndk_http_module.so; load_module {lua}/ngx_http_lua_module.so;",
                       "http": 'lua_package_path "/usr/share/lua/5.1/?.lua;;";',
                       "locations": rendered("origin-lua.conf", **answer)}
        command = self.nginx("origin", rendered("origin.conf", **values))
        with running(command, port, self.load_core, self.folder / "origin.log"):
            yield {"http": port, "https": tls_port}

    @contextlib.contextmanager
    def peers(self, names, upstream, origin, connections=8192):
        """All at once, the proxies on one core: only the one under load uses it."""
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(self.peer(name, upstream, origin, connections)) for name in names]

    @contextlib.contextmanager
    def peer(self, name, upstream, origin, connections=8192, prefix=(), patience=10):
        """One of them, started through the command `prefix` if there is one."""
        if name == DIRECT:
            yield Server(name, origin["http"])
            return
        port, admin = free_ports(2)
        log = self.folder / f"{name}.log"
        access = log if name == "wxgate" else self.folder / f"{name}.access"
        values = {
            "folder": self.folder, "port": port, "origin": origin[upstream], "upstream": upstream, "token": TOKEN,
            "connections": connections, "modules": modules(), "admin": admin,
            # wxgate refuses WeChat's name without TLS.
            "host": work.HOST if upstream == "https" or name != "wxgate" else "127.0.0.1",
            "access": "off" if self.plain else f"{access} combined buffer=64k flush=1s",
            "tls": f"ssl verify none sni str({work.HOST})" if upstream == "https" else "",
            "trust": f'ca_file = "{self.folder}/ca.pem"' if upstream == "https" else "",
            "digest": hashlib.sha256(self.key.encode()).hexdigest(),
        }
        with running([*prefix, *self.command(name, values)], port, self.proxy_core, log, patience) as process:
            server = Server(name, port, process.pid, log, access)
            self.prove(server)
            yield server

    def command(self, name, values):
        """Writes the configuration; the command that serves it."""
        if name in ("nginx", "lua"):
            return self.nginx(name, rendered(f"{name}.conf", **values))
        parts = {"haproxy": ["haproxy.cfg"], "wxgate": ["wxgate.toml"]}[name]
        if name == "wxgate" and self.key:
            parts += ["caller.toml"] if self.plain else ["caller.toml", "limits.toml"]
        config = self.folder / parts[0]
        config.write_text("".join(rendered(part, **values) for part in parts))
        if name == "haproxy":
            return [find("haproxy"), "-db", "-f", config]
        return [self.options.wxgate, "serve", "--config", config]

    def nginx(self, name, text):
        config = self.folder / f"{name}.conf"
        config.write_text(text)
        return [find("nginx"), "-c", config, "-e", self.folder / f"{name}.err"]

    def prove(self, server):
        """All must do the job before any is measured: upstream answers so only if the token went
        in."""
        answer, logged = b"", server.name != "wxgate" or not self.key
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
                connection.sendall(work.TOKEN_NEEDED.encoded(self.key, close=True))
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            logged = logged or '"caller":"orders"' in server.log.read_text()
            if answer.startswith(b"HTTP/1.1 200") and answer.endswith(work.ANSWER.encode()) and logged:
                return
            time.sleep(0.1)
        raise BenchError(f"{server.name} answers {answer!r}\n{tail(server.log)}")
