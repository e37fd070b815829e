"""The attacks, each from one address. Every one holds what it has opened until the time is over."""

import asyncio
import collections
import contextlib
import re
import sys

# The honest callers' key. An attack that says "known" has got hold of it.
KEY = "an-api-key-for-honest-callers"
KNOWN = f"X-Wxgate-Key: {KEY}\r\n"
HEAD = "{method} {path} HTTP/1.1\r\nHost: wxgate\r\n{more}"


class Attack:
    """Connections to one target, and what became of them."""

    def __init__(self, source, target, seconds):
        self.source, self.target, self.seconds = source, target, seconds
        self.answers = collections.Counter()
        self.open = 0

    async def hold(self, count, first, drip=None):
        """Opens connections, sends `first` on each, then perhaps a byte each second, and tells when they stand."""
        opening = asyncio.Semaphore(200)
        tasks, standing = [], []
        for number in range(count):
            ready = asyncio.get_running_loop().create_future()
            standing.append(ready)
            tasks.append(asyncio.create_task(self.one(opening, ready, first, drip)))
        await asyncio.wait(standing, timeout=60)
        print("standing", flush=True)
        await asyncio.sleep(self.seconds)
        told = ", ".join(f"{count} {answer}" for answer, count in sorted(self.answers.items()))
        print(f"{self.open} of {count}{'; ' if told else ''}{told}", flush=True)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=5)

    async def one(self, opening, ready, first, drip):
        writer = None
        try:
            async with opening:
                reader, writer = await asyncio.open_connection(*self.target, local_addr=(self.source, 0), limit=4096)
                self.open += 1
                writer.write(first)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(writer.drain(), 10)
            if not ready.done():
                ready.set_result(None)
            reading = asyncio.create_task(reader.read(4096))
            while True:
                done, _ = await asyncio.wait([reading], timeout=1 if drip else None)
                if done:
                    break
                writer.write(drip)
            self.answers[kind_of(reading.result())] += 1
            self.open -= 1
        except OSError:
            self.answers["reset"] += 1
            self.open -= writer is not None
        finally:
            if not ready.done():
                ready.set_result(None)
            if writer:
                writer.close()


def kind_of(answer):
    """wxgate's own word for why it refused, else the status."""
    if not answer:
        return "closed"
    code = re.search(rb"(?i)x-wxgate-error: (\w+)", answer)
    return (code[1] if code else answer.split(b" ")[1]).decode("latin-1")


def head(method, path, more=""):
    return HEAD.format(method=method, path=path, more=more).encode()


def body_of(length, key=""):
    return head("POST", "/cgi-bin/message/custom/send", f"{key}Content-Length: {length}\r\n\r\n")


async def half_heads(attack):
    """9,500 half heads of 31 KiB"""
    await attack.hold(9_500, head("GET", "/cgi-bin/user/info", "X-Fill: " + "a" * (31 << 10)))


async def long_half_heads(attack):
    """9,500 half heads of 126 KiB"""
    await attack.hold(9_500, head("GET", "/cgi-bin/user/info", "X-Fill: " + "a" * (126 << 10)))


async def token_bodies(attack):
    """3,000 slow token bodies of 64 KB"""
    whole = head("POST", "/cgi-bin/stable_token", f"Content-Type: application/json\r\nContent-Length: {64 << 10}\r\n\r\n")
    await attack.hold(3_000, whole + b" " * 64_000, b" ")


async def idle_connections(attack):
    """10,000 idle connections"""
    await attack.hold(10_000, b"")


async def slow_bodies(attack):
    """2,000 known callers' bodies at one byte a second"""
    await attack.hold(2_000, body_of(1 << 20, KNOWN), b" ")


async def slow_strangers(attack):
    """2,000 strangers' bodies at one byte a second"""
    await attack.hold(2_000, body_of(1 << 20), b" ")


async def long_bodies(attack):
    """500 known callers' bodies of 12 MiB, less the last byte"""
    await attack.hold(500, body_of(12 << 20, KNOWN) + b" " * ((12 << 20) - 1))


async def endless_answers(attack):
    """2 endless 1xx answers"""
    await attack.hold(2, head("GET", "/cgi-bin/endless", KNOWN + "\r\n"))


ALL = [half_heads, long_half_heads, token_bodies, idle_connections, slow_bodies, slow_strangers, long_bodies, endless_answers]


def main(name, source, host, port, seconds):
    [attack] = [attack for attack in ALL if attack.__name__ == name]
    asyncio.run(attack(Attack(source, (host, int(port)), int(seconds))))


if __name__ == "__main__":
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    main(*sys.argv[1:])
