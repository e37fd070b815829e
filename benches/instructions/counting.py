"""Instructions of one request, of each sort that the gate watches."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import scenes
from callgrind import started, total
from origin import ANSWER, Origin
from process import Connection, CountError, free_ports

TRIES = 10


class Scene:
    """A sort of request: `request(number)` is the next one, `is_answer(status, body)` whether it went as meant. What
    start and end cost is in the counts of `few` and of `many` of them, and goes with the difference."""

    def __init__(self, name, request, is_answer, few=200, many=5200, apps=1, tokens_die=False):
        self.name, self.request, self.is_answer = name, request, is_answer
        self.few, self.many, self.apps, self.tokens_die = few, many, apps, tokens_die


def forwarded(status, body):
    return (status, body) == (200, ANSWER)


def refused(status, body):
    return status == 200 and b'"errcode":-70403' in body


SCENES = (
    Scene("get", lambda number: scenes.request(scenes.SMALL), forwarded),
    Scene("post", lambda number: scenes.request(scenes.MESSAGE, body=scenes.BODY), forwarded),
    # A rejected token, a fetch, and the request again. Of each app at most 300 tokens are fetched a minute.
    Scene("replay", lambda number: scenes.request(scenes.SMALL, app=number % 10), forwarded, 200, 1700, 10, tokens_die=True),
    # Not in the caller's `allow`: as dear as a refusal can be, and not one that is answered late.
    Scene("refusal", lambda number: scenes.request("/cgi-bin/menu/get"), refused),
)


def count(program, scene):
    """Instructions per request: the lower of two counts, since what comes by the clock meanwhile only adds."""
    return min(once(program, scene) for _ in range(2))


def once(program, scene):
    few, many = (whole(program, scene, requests) for requests in (scene.few, scene.many))
    return (many - few) / (scene.many - scene.few)


def whole(program, scene, requests):
    """All instructions of a process that starts, answers so many requests on one connection, and ends."""
    with TemporaryDirectory(prefix="wxgate-instructions-") as folder, Origin(scene.tokens_die) as origin:
        folder, ports = Path(folder), free_ports(2)
        text = scenes.config(ports, origin, apps=scene.apps)
        with started(program, folder, ports[0], text) as wxgate:
            wxgate.wait_for(lambda: len(origin.tokens) == scene.apps, "all tokens are there")
            with Connection(ports[0]) as connection:
                for number in range(requests):
                    answer = connection.ask(scene.request(number))
                    # The first one waits for its part of the budgets; on a busy machine that may come too late for it.
                    for _ in range(TRIES if number < scene.apps else 0):
                        if scene.is_answer(*answer):
                            break
                        time.sleep(1)
                        answer = connection.ask(scene.request(number))
                    if not scene.is_answer(*answer):
                        raise CountError(f"{scene.name}: wxgate answers {answer}\n{wxgate.tail()}")
        # Each token is good for one call.
        if scene.tokens_die and (origin.rejected, origin.fetched) != (requests - scene.apps, requests):
            raise CountError(f"{requests} requests: {origin.rejected} rejections and {origin.fetched} fetches")
        return total(folder / "counts")
