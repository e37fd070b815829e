"""A process of wxgate's: its start, its callers' requests, its end."""

import contextlib
import os
import signal
import socket
import subprocess
import time

SECRET = "0123456789abcdef0123456789abcdef"
# valgrind is some fifty times slower than the processor, and thousands of apps fetch a token each at the start.
PATIENCE = 1800


class CountError(Exception):
    """Something that leaves nothing to count or compare."""


class Wxgate:
    """wxgate, started by `command`, where callers come in at `port`."""

    def __init__(self, command, folder, port, config):
        self.folder, self.port = folder, port
        self.log = folder / "wxgate.log"
        path = folder / "wxgate.toml"
        path.write_text(config)
        # An access line goes to a file, as on most machines. The environment is no part of the count.
        with open(self.log, "wb") as output:
            self.environment = {"PATH": os.environ["PATH"], "SECRET": SECRET, "TMPDIR": str(folder)}
            self.process = subprocess.Popen(
                [*command, "serve", "--config", path], cwd=folder, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, env=self.environment,
            )

    def __enter__(self):
        try:
            self.wait_for(self.accepts, "it listens")
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def accepts(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def wait_for(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise CountError(f"wxgate: not so far that {what}\n{self.tail()}")
            time.sleep(0.05)

    def end(self):
        """Gently, since callgrind writes its count at the end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])


class Connection:
    """A caller's keep-alive connection, with one request at a time."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, request):
        """Status and body of the answer."""
        self.socket.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(body) < length:
            body += self.receive()
        return int(head.split(b" ")[1]), body

    def receive(self):
        received = self.socket.recv(65536)
        if not received:
            raise CountError("wxgate closed the connection")
        return received


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
