"""Open loops: latency at fixed rates, and the upstream that takes 50 ms."""

import contextlib

import work
from peers import DIRECT

PEERS = ("nginx", "wxgate", DIRECT)
CONNECTIONS = 32
# Of nginx's knee.
PARTS = (0.1, 0.25, 0.5, 0.75, 0.9)
# A rate is sustained if 99 of 100 requests have their answer so many microseconds after they were
# due.
SUSTAINED = 10_000
PROBES = 6
PROBE_SECONDS = 1

SLOW_RATE = 1000
# 50 are at work at once; what comes in a stall must find room as well.
SLOW_CONNECTIONS = 256


def measure(bench, load, rounds, peers=PEERS):
    """The knees, and by part of nginx's knee and peer a sample for each round; `rounds` says how
    many by part."""
    with bench.upstream() as origin, contextlib.ExitStack() as stack:
        servers = stack.enter_context(bench.peers(peers, "https", origin))
        knees = {server.name: knee(server, load) for server in servers if server.name != DIRECT}
        rates = {}
        for part, times in rounds.items():
            samples = rates[str(part)] = {server.name: [] for server in servers}
            for number in range(times):
                for server in servers if number % 2 == 0 else reversed(servers):
                    samples[server.name].append(load.run(server, work.SMALL, CONNECTIONS, knees["nginx"] * part))
    return {"knees": knees, "rates": rates}


def knee(server, load):
    """The highest rate that is sustained, to about 1 %."""
    fastest = load.run(server, work.SMALL, CONNECTIONS, seconds=PROBE_SECONDS).rate
    low, high = fastest * 0.4, fastest * 1.1
    for _ in range(PROBES):
        rate = (low + high) / 2
        if sustained(server, load, rate):
            low = rate
        else:
            high = rate
    return low


def sustained(server, load, rate):
    # Once more if need be: a moment in which the machine did something else is no limit of the
    # server.
    probes = (load.run(server, work.SMALL, CONNECTIONS, rate, seconds=PROBE_SECONDS) for _ in range(2))
    return any(probe.p99 <= SUSTAINED for probe in probes)


def slow(bench, load, peers, rounds):
    """Samples by peer while the upstream takes 50 ms, as WeChat does."""
    samples = {name: [] for name in peers}
    with bench.upstream() as origin, contextlib.ExitStack() as stack:
        servers = stack.enter_context(bench.peers(peers, "https", origin))
        # Each opens as many connections upstream as it needs.
        for server in servers:
            load.run(server, work.SLOW, SLOW_CONNECTIONS, SLOW_RATE / 2, seconds=1)
        for number in range(rounds):
            for server in servers if number % 2 == 0 else reversed(servers):
                samples[server.name].append(load.run(server, work.SLOW, SLOW_CONNECTIONS, SLOW_RATE))
    return samples
