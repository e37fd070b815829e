"""The closed loops: which there are, and how they are measured."""

import contextlib
from dataclasses import dataclass

import work
from peers import DIRECT

# A direct call needs no precision: it is measured in every third round.
DIRECT_EVERY = 3
# Between its turns a proxy may have closed its connections upstream: they are opened again before
# the measured time.
WARM, WARM_MANY, MANY = 0.25, 0.5, 100


@dataclass(frozen=True)
class Scene:
    """`fresh` opens a connection for each request."""

    upstream: str
    kind: str
    connections: int
    request: work.Request
    fresh: bool = False

    @property
    def name(self):
        return f"{self.upstream}-{self.kind}-{self.connections}"


def of(upstream):
    return [
        Scene(upstream, "small", 1, work.SMALL),
        Scene(upstream, "small", 32, work.SMALL),
        Scene(upstream, "small", 256, work.SMALL),
        Scene(upstream, "post", 32, work.POST),
        Scene(upstream, "fresh", 32, work.SMALL, fresh=True),
        Scene(upstream, "download", 8, work.DOWNLOAD),
        Scene(upstream, "upload", 8, work.UPLOAD),
    ]


ALL = {scene.name: scene for upstream in ("https", "http") for scene in of(upstream)}


def measure(scene, bench, load, peers, rounds):
    """Samples by peer, one for each round or None; every other round in reverse order, so that
    drift hits all alike."""
    samples = {name: [] for name in peers}
    warm = WARM_MANY if scene.connections > MANY else WARM
    with bench.upstream() as origin, contextlib.ExitStack() as stack:
        servers = stack.enter_context(bench.peers(peers, scene.upstream, origin))
        for server in servers:
            load.run(server, scene.request, scene.connections, fresh=scene.fresh, seconds=0.5)
        for number in range(rounds):
            for server in servers if number % 2 == 0 else reversed(servers):
                skipped = server.name == DIRECT and number % DIRECT_EVERY
                samples[server.name].append(None if skipped else load.run(
                    server, scene.request, scene.connections, fresh=scene.fresh, warm=warm))
    return samples
