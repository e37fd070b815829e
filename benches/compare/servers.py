"""Starts processes, each on a core of its own, and ends them."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

SECRET = "0123456789abcdef0123456789abcdef"
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class BenchError(Exception):
    """A comparison that can't go on."""


@dataclass
class Server:
    """A running server; `pid` is 0 where nobody asks what it costs."""

    name: str
    port: int
    pid: int = 0
    log: Path = None
    # What grows with each request.
    access: Path = None

    def rss(self):
        """Resident memory in KB."""
        if not self.pid:
            return 0
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def forget_requests(self):
        """Empties the access log: a comparison would fill gigabytes."""
        if self.access and self.access.exists():
            os.truncate(self.access, 0)


def find(name):
    """An unprivileged user's PATH may lack the folder of daemons."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


def bound(core):
    """What a child does before it becomes the program: it takes its core, and dies with us however
    we end."""

    def bind():
        os.sched_setaffinity(0, {core})
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return bind


@contextlib.contextmanager
def running(command, port, core, log, patience=10):
    """Runs `command` on `core`; it listens on `port` when this yields, and has ended when this
    returns."""
    with open(log, "ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   env={**os.environ, "SHOP_SECRET": SECRET}, preexec_fn=bound(core))
    try:
        wait_for(port, process, patience, log)
        yield process
    finally:
        end(process, patience)


def end(process, patience):
    """Ends what was started here, gently if possible."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        # More than once: nginx sleeps on if the signal comes just before it waits for events.
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
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
    """The last lines, less those of requests."""
    if not log or not log.exists():
        return ""
    lines = [line for line in log.read_text(errors="replace").splitlines() if '"kind":"access"' not in line]
    return "\n".join(lines[-10:])
