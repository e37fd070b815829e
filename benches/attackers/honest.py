"""Honest callers: four that keep their connection, one that makes a new one each time; 10 requests a second each."""

import json
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import attacks

PACE = 0.1
REQUEST = (f"GET /cgi-bin/user/info?openid=O HTTP/1.1\r\nHost: wxgate\r\nX-Wxgate-Key: {attacks.KEY}\r\n\r\n").encode()


@dataclass
class Seen:
    p50: float
    p99: float
    longest: float
    failed: int
    made: int


class Callers:
    """They call from a process of their own: the attack's and the measurement's work must not delay their clocks."""

    def __init__(self, source, target, seconds, core):
        self.process = subprocess.Popen(
            ["taskset", "-c", core, sys.executable, __file__, source, target[0], str(target[1]), str(seconds)],
            stdout=subprocess.PIPE, text=True)

    def are_calling(self):
        return self.process.poll() is None

    def seen(self):
        return Seen(**json.loads(self.process.stdout.read()))

    def close(self):
        self.process.kill()
        self.process.wait()


def call(connection):
    """Sends one request and reads its answer: milliseconds, or an error."""
    begun = time.perf_counter()
    connection.sendall(REQUEST)
    got = b""
    while b'"errcode":0' not in got or not got.endswith(b"}"):
        more = connection.recv(65536)
        if not more or (got + more).find(b"X-Wxgate-Error") >= 0:
            raise OSError(f"refused or closed: {got + more!r}")
        got += more
    return (time.perf_counter() - begun) * 1000


def keep_calling(source, target, until, keep, took, failures):
    connection = None
    while time.monotonic() < until:
        begun = time.perf_counter()
        try:
            connection = connection or socket.create_connection(target, 10, source_address=(source, 0))
            call(connection)
            took.append((time.perf_counter() - begun) * 1000)
            if not keep:
                connection.close()
                connection = None
        except OSError as error:
            failures.append(str(error))
            connection = None
        time.sleep(PACE)


def main(source, host, port, seconds):
    until = time.monotonic() + float(seconds)
    took, failures = [], []
    threads = [threading.Thread(target=keep_calling, args=(source, (host, int(port)), until, keep, took, failures))
               for keep in (True, True, True, True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took.sort()
    at = lambda part: took[min(len(took) - 1, int(len(took) * part))] if took else float("nan")
    for failure in failures[:3]:
        print(failure, file=sys.stderr)
    print(json.dumps({"p50": at(0.5), "p99": at(0.99), "longest": at(1), "failed": len(failures),
                      "made": len(took) + len(failures)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
