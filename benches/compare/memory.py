"""What idle connections take: each made one request and keeps its connection."""

import contextlib
import resource
import socket
import time

import work
from peers import DIRECT
from servers import BenchError, tail

STEPS = (2_000, 10_000)
# A proxy has as many, and some towards the upstream.
FILES = STEPS[-1] + 2_000
SETTLE = 1.5


def measure(bench, load, peers):
    """By peer, RSS in KB by number of idle connections, each in a process of its own that has done
    some work."""
    allow_files()
    found = {}
    for name in peers:
        if name == DIRECT:
            continue
        with bench.upstream() as origin, bench.peer(name, "https", origin, connections=FILES) as server:
            load.run(server, work.SMALL, 32, seconds=1)
            time.sleep(SETTLE)
            found[name] = {"0": server.rss()}
            with contextlib.ExitStack() as connections:
                for step in STEPS:
                    # The number of connections that are there already.
                    there = 0 if step == STEPS[0] else STEPS[STEPS.index(step) - 1]
                    for number in range(there, step):
                        connections.enter_context(opened(server, number))
                    time.sleep(SETTLE)
                    found[name][str(step)] = server.rss()
    return found


def opened(server, number):
    """A connection on which a request was answered. Several addresses, so that ports don't run
    short."""
    connection = socket.create_connection(("127.0.0.1", server.port), 10, (f"127.0.0.{1 + number % 16}", 0))
    connection.sendall(work.SMALL.encoded())
    answer = b""
    while not answer.endswith(work.ANSWER.encode()):
        more = connection.recv(65536)
        if not more:
            connection.close()
            raise BenchError(f"{server.name} closed connection {number} after {answer!r}\n{tail(server.log)}")
        answer += more
    return connection


def allow_files():
    """Each connection takes a file here and in the proxy, which inherits the limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = max(hard, 2 * FILES)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        return
    if hard < FILES:
        raise BenchError(f"{FILES} open files are needed, the hard limit is {hard}: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
