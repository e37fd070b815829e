"""System calls of a request, counted by strace."""

import re
import signal
import subprocess

import work
from peers import DIRECT
from servers import BenchError, bound, find

SECONDS = 1.5


def measure(bench, load, peers):
    """By peer, how often each call is made for a request; small JSON, HTTPS upstream, 32
    connections."""
    found = {}
    for name in peers:
        if name == DIRECT:
            continue
        with bench.upstream() as origin, bench.peer(name, "https", origin) as server:
            load.run(server, work.SMALL, 32, seconds=0.5)
            report = bench.folder / "strace"
            strace = subprocess.Popen([find("strace"), "-c", "-f", "-o", report, "-p", str(server.pid)],
                                      stderr=subprocess.PIPE, preexec_fn=bound(bench.load_core))
            try:
                said = strace.stderr.readline().decode()
                if "attached" not in said:
                    raise BenchError(f"strace: {said.strip()}; it needs root")
                done = load.run(server, work.SMALL, 32, seconds=SECONDS).all
            finally:
                strace.send_signal(signal.SIGINT)
                strace.communicate(timeout=20)
            found[name] = {call: number / done for call, number in counted(report.read_text()).items()}
    return found


def counted(report):
    """Calls by name, of strace's table: % time, seconds, usecs/call, calls, perhaps errors,
    name."""
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", report, re.M)
    return {name: int(number) for number, name in rows if name != "total"}
