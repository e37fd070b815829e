"""Load, and what it costs the process that bears it."""

import contextlib
import os
import resource
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from servers import BenchError, find, tail

SMALL = "/cgi-bin/user/info?openid=o6_bmjrPTlm6_2sgVt7hMZOPfL2M&lang=zh_CN"
DOWNLOAD = "/cgi-bin/media/get?media_id=rF4UdIMfYK3efUfyoddYRMU50zMiRmmt"
DOWNLOAD_CONNECTIONS = 8
IDLE_CONNECTIONS = 1000
IDLE_SECONDS = 10
# What starting and ending cost is the same in both counts and goes with the difference.
DIFFERENCE = (200, 1200)

# wrk's own report is for people; percentiles are in microseconds here.
REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("\\nFIGURES %d %d %d %d %d\\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass
class Sample:
    """One measurement: CPU in microseconds per request, requests per second, latencies in microseconds, RSS in KB."""

    cpu: float
    rate: float
    p50: float
    p99: float
    rss: int


@dataclass
class Rest:
    """Seconds of CPU while nothing happened; RSS in KB before and after the connections came."""

    cpu: float
    before: int
    after: int


def run(proxy, target, options, seconds):
    """Loads `proxy` for `seconds`."""
    connections = DOWNLOAD_CONNECTIONS if target == DOWNLOAD else options.connections
    script = proxy.log.with_name("report.lua")
    script.write_text(REPORT)
    headers = [part for name, value in proxy.headers.items() for part in ("-H", f"{name}: {value}")]
    command = [find("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script, *headers,
               f"http://127.0.0.1:{proxy.port}{target}"]
    before = cpu_seconds(proxy.pid)
    wrk = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False,
                         preexec_fn=lambda: os.sched_setaffinity(0, {options.cores[1]}))
    used = cpu_seconds(proxy.pid) - before
    figures = [line.split()[1:] for line in wrk.stdout.splitlines() if line.startswith("FIGURES")]
    if not figures:
        raise BenchError(f"wrk failed: {wrk.stdout}{wrk.stderr}")
    requests, microseconds, errors, p50, p99 = map(int, figures[0])
    if errors or not requests:
        raise BenchError(f"{proxy.name}: {errors} errors in {requests} requests\n{tail(proxy.log)}")
    return Sample(used * 1e6 / requests, requests * 1e6 / microseconds, p50, p99, rss(proxy.pid))


def idle(proxy):
    """Opens connections, makes one request on each, and lets them be."""
    before = rss(proxy.pid)
    with contextlib.ExitStack() as stack:
        for _ in range(IDLE_CONNECTIONS):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port), timeout=10))
            connection.sendall(proxy.request(SMALL))
            connection.recv(65536)
        # The log is written, and timers that were set in passing go off.
        time.sleep(2)
        start = cpu_seconds(proxy.pid)
        time.sleep(IDLE_SECONDS)
        return Rest(cpu_seconds(proxy.pid) - start, before, rss(proxy.pid))


def instructions(scene, name, upstream, origin, count):
    """All instructions of a proxy that starts, answers `count` requests on one connection and ends."""
    out = scene.folder / f"callgrind.{name}"
    prefix = [find("valgrind"), "--tool=callgrind", f"--callgrind-out-file={out}"]
    with scene.proxy(name, upstream, origin, prefix, patience=60) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as connection:
            for _ in range(count):
                connection.sendall(proxy.request(SMALL))
                connection.recv(65536)
    for line in out.read_text().splitlines():
        if line.startswith(("summary:", "totals:")):
            return int(line.split()[1])
    raise BenchError(f"valgrind counted nothing\n{tail(proxy.log)}")


def cpu_seconds(pid):
    """User and system time of all threads."""
    # The second field, the program's name, may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss(pid):
    """Resident memory in KB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def allow_many_files():
    """Each idle connection takes a file here and in the proxy, which inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if soft < hard else soft, hard))
