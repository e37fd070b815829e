"""Load, and what it costs the server that bears it."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from servers import BenchError, bound, find, tail

SOURCE = Path(__file__).resolve().parent / "load.c"


@dataclass
class Sample:
    """One measurement. Times in microseconds, `cpu`, `user` and `system` of one request; `share` is
    the part of a core that the server took; `late` counts requests that had no answer when the open
    loop had ended; RSS in KB."""

    requests: int
    rate: float
    cpu: float
    user: float
    system: float
    share: float
    p50: float
    p99: float
    p999: float
    late: int
    rss: int
    # Those before and after the measured time too.
    all: int


class Load:
    """The load generator, compiled when it is needed."""

    def __init__(self, folder, core, seconds):
        self.folder, self.core, self.seconds = folder, core, seconds
        self.program = folder / "load"
        made = subprocess.run([find("cc"), "-O2", "-o", self.program, SOURCE], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise BenchError(f"cc {SOURCE}: {made.stderr}")

    def run(self, server, request, connections, rate=0, fresh=False, seconds=None, warm=0.25):
        """Loads `server`; at `rate` requests a second if that is more than 0, else as fast as it
        answers."""
        seconds = seconds or self.seconds
        with tempfile.NamedTemporaryFile(dir=self.folder) as file:
            file.write(request.encoded())
            file.flush()
            command = [self.program, server.port, connections, rate, warm, seconds, int(fresh), request.length,
                       server.pid, file.name]
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False,
                                  timeout=seconds + warm + 30, preexec_fn=bound(self.core))
        if done.returncode != 0:
            raise BenchError(f"{server.name}: {done.stderr.strip()}\n{tail(server.log)}")
        said = json.loads(done.stdout)
        if not said["errors"] and not said["requests"]:
            said["reason"] = "none was answered in the measured time"
        if said["reason"]:
            raise BenchError(f"{server.name}: {said['errors']} errors in {said['all']} requests: {said['reason']}\n"
                             f"{tail(server.log)}")
        server.forget_requests()
        return sample(said, server.rss())


def sample(said, rss):
    cpu = said["cpu"] / said["requests"]
    ticks = said["user"] + said["system"]
    user = cpu * said["user"] / ticks if ticks else 0
    return Sample(said["requests"], said["requests"] * 1e6 / said["window"], cpu, user, cpu - user,
                  said["cpu"] / said["window"], said["p50"], said["p99"], said["p999"], said["late"], rss, said["all"])

