"""Instructions of a request, counted by valgrind."""

import socket

import work
from servers import BenchError, find, tail

# What starting and ending cost is the same in both counts and goes with the difference.
DIFFERENCE = (200, 1200)
PROXIES = ("nginx", "wxgate")


def show(bench, upstream):
    """User-mode instructions per request: no noise, and no kernel."""
    counts = {}
    with bench.upstream() as origin:
        for name in PROXIES:
            few, many = (counted(bench, name, upstream, origin, number) for number in DIFFERENCE)
            counts[name] = (many - few) / (DIFFERENCE[1] - DIFFERENCE[0])
    for name, count in counts.items():
        print(f"{upstream:5} {name:8} {count:8.0f} instructions per request, {count / counts['nginx']:.2f} of nginx")


def counted(bench, name, upstream, origin, number):
    """All instructions of a proxy that starts, answers `number` requests on one connection and
    ends."""
    out = bench.folder / f"callgrind.{name}"
    prefix = [find("valgrind"), "--tool=callgrind", f"--callgrind-out-file={out}"]
    with bench.peer(name, upstream, origin, prefix=prefix, patience=60) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            for _ in range(number):
                connection.sendall(work.SMALL.encoded(bench.key))
                connection.recv(65536)
    for line in out.read_text().splitlines():
        if line.startswith(("summary:", "totals:")):
            return int(line.split()[1])
    raise BenchError(f"valgrind counted nothing\n{tail(server.log)}")
