"""What a request costs against the size of the configuration, and what passes when nobody asks."""

import itertools
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import scenes
from callgrind import started, total
from origin import ANSWER, Origin
from process import Connection, CountError, free_ports

APPS = (1, 10, 100, 1000, 5000)
CALLERS = (1, 10, 100, 1000, 5000)
LIMITS = (0, 5, 50)
REQUESTS = 1000
# What begins with the first requests has settled; what comes by the clock comes every ten seconds at least.
SETTLES, IDLE_SECONDS = 30, 10

# Patterns that all match GET /cgi-bin/user/info, each of which makes a limit of its own.
MATCHING = ("", "/cgi-bin/user/info", "/cgi-bin/user/**", "/cgi-bin/**", "/cgi-bin/*/info", "/*/user/info", "/*/*/info",
            "/*/user/**", "/*/*/**", "/**", "/cgi-bin/user/*", "/*/*/*", "/cgi-bin/*/*", "/*/user/*")
OTHERS = ("/cgi-bin/media/upload", "/cgi-bin/menu/**", "/cgi-bin/tags/*", "/wxa/**", "/cgi-bin/material/get_material",
          "/datacube/**", "/cgi-bin/message/custom/send", "/cgi-bin/message/template/send", "/cgi-bin/draft/**",
          "/cgi-bin/qrcode/create", "/cgi-bin/comment/**", "/cgi-bin/freepublish/**", "/card/**")
RATE, BUDGET = 'rate = "1000000/s"\n', "daily = 4000000000\n"


def run(program):
    """Prints a table for each dimension, of instructions: per request, and per second without requests."""
    table("apps", "one by one caller", "each by turns", "idle, a second")
    for apps in APPS:
        row(apps, count(program, [[get(app=0)], [get(app=app) for app in spread(apps)]], apps=apps))
    table("callers", "the first", "the last", "each by turns", "idle, a second")
    for callers in CALLERS:
        orders = [[get(caller=0)], [get(caller=callers - 1)], [get(caller=caller) for caller in spread(callers)]]
        row(callers, count(program, orders, callers=callers))
    table("limits", "of other endpoints", "idle", "rates of this one", "idle", "budgets of this one", "idle")
    for limits in LIMITS:
        kinds = [(OTHERS, RATE + BUDGET), (MATCHING, RATE), (MATCHING, BUDGET)]
        row(limits, [each for patterns, kind in kinds for each in count(program, [[get()]], limits=tables(patterns, kind, limits))])


def spread(size):
    """Numbers below `size`, evenly spread where there are too many."""
    return range(size) if size <= REQUESTS else range(0, size, size // REQUESTS)


def table(*heads):
    print(f"\n| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")


def row(size, counts):
    print(f"| {size:,} | {' | '.join(f'{each:,.0f}' for each in counts)} |", flush=True)


def get(**who):
    return scenes.request(scenes.SMALL, **who)


def tables(patterns, kind, count):
    """So many limits that apply to the caller."""
    apps, callers = ("", 'app = "app-0000"\n'), ("", 'caller = "caller-0000"\n')
    endpoints = [f'endpoint = "{method}{path}"\n' if path else "" for path in patterns for method in ("", "GET ")]
    scopes = list(dict.fromkeys(itertools.product(apps, callers, endpoints)))[:count]
    return "".join(f"[[limit]]\n{app}{caller}{endpoint}{kind}" for app, caller, endpoint in scopes)


def count(program, orders, apps=1, callers=1, limits=""):
    """Instructions per request for each of `orders`, whose requests take turns; then those of an idle second."""
    with TemporaryDirectory(prefix="wxgate-growth-") as folder, Origin() as origin:
        folder, ports = Path(folder), free_ports(2)
        text = scenes.config(ports, origin, apps, callers, limits)
        with started(program, folder, ports[0], text, "--separate-threads=yes") as wxgate:
            wxgate.wait_for(lambda: len(origin.tokens) == apps, "all tokens are there")
            with Connection(ports[0]) as connection:
                # What a first request costs is no growth.
                for request in itertools.chain.from_iterable(order * max(1, 100 // len(order)) for order in orders):
                    ask(connection, request)
                time.sleep(SETTLES)
                counts = []
                for order in orders:
                    control(wxgate, "zero")
                    for request in itertools.islice(itertools.cycle(order), REQUESTS):
                        ask(connection, request)
                    counts.append(dumped(wxgate)[0] / REQUESTS)
                control(wxgate, "zero")
                time.sleep(IDLE_SECONDS)
                return [*counts, dumped(wxgate)[1] / IDLE_SECONDS]


def ask(connection, request):
    status, body = connection.ask(request)
    if (status, body) != (200, ANSWER):
        raise CountError(f"wxgate answers {status} {body!r}")


def dumped(wxgate):
    """Instructions of the threads that serve requests, and of the main one, which does all that comes by the clock."""
    before = set(wxgate.folder.glob("counts*-*"))
    control(wxgate, "dump")
    made = set(wxgate.folder.glob("counts*-*")) - before
    main = sum(total(path) for path in made if path.name.endswith("-01"))
    return sum(map(total, made)) - main, main


def control(wxgate, what):
    """Tells callgrind to begin at nought, or to write what it has counted."""
    command = ["vgdb", f"--pid={wxgate.process.pid}", what]
    done = subprocess.run(command, env=wxgate.environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CountError(f"vgdb {what}: {done.stderr}")
