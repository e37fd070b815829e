"""The pictures: what a request costs, and how latency grows with the rate."""

import math

import scenes
from results import cpu, median, over
from svg import GRID, TEXT, Picture

# Peer: words, shape, colour.
LOOKS = {
    "nginx": ("nginx", "square", TEXT),
    "wxgate": ("wxgate", "circle", "#1f9d55"),
    "lua": ("nginx + Lua", "triangle", "#c2680f"),
    "haproxy": ("haproxy", "diamond", "#3b82d0"),
    "direct": ("direct", "diamond", "#a855c7"),
}
KINDS = {"small": "small JSON", "post": "2 KB POST", "fresh": "new connection each", "download": "100 KB download",
         "upload": "2 MB upload"}


def costs(results):
    """A row for each scene: the medians of the ratios to nginx, each with its range."""
    shown = [scene for scene in scenes.ALL.values() if results.scenes.get(scene.name)]
    peers = ("haproxy", "lua", "wxgate")
    ratios = {(scene.name, peer): over(results.scenes[scene.name], peer, "nginx", cpu)
              for scene in shown for peer in peers}
    most = max([1.5, *(ratio.high for ratio in ratios.values() if ratio)])
    most = min(math.ceil(most * 4) / 4, 3)
    left, right, top, step = 262, 700, 54, 24
    picture = Picture(720, top + step * len(shown) + 34, "CPU per request, nginx = 1")
    picture.text(left, 16, "CPU per request, nginx = 1 (less is better)", weight="bold")
    legend(picture, ("wxgate", "lua", "haproxy"), left, 36)
    at = lambda value: left + (right - left) * min(value, most) / most
    bottom = top + step * len(shown)
    for number in range(int(most * 4) + 1):
        value = number / 4
        picture.line([(at(value), top - 4), (at(value), bottom)], TEXT if value == 1 else GRID, 1.5 if value == 1 else 1)
        if number % 2 == 0:
            picture.text(at(value), bottom + 16, f"{value:g}", "middle")
    for row, scene in enumerate(shown):
        y = top + step * (row + 0.5)
        connections = f"{scene.connections} conn."
        picture.text(left - 12, y + 4, f"{scene.upstream.upper()}, {KINDS[scene.kind]}, {connections}", "end")
        for number, peer in enumerate(peers):
            ratio = ratios[scene.name, peer]
            if ratio:
                _, shape, colour = LOOKS[peer]
                own = y + (number - 1) * 4
                picture.line([(at(ratio.low), own), (at(ratio.high), own)], colour, 1.5)
                picture.mark(at(ratio.median), own, shape, colour)
                if ratio.median > most:
                    picture.text(at(most) - 8, own + 4, f"{ratio.median:.1f}", "end", colour)
    return picture.written()


def latencies(results):
    """Three panels, p50, p99 and p99.9 over the rate, on one scale in powers of ten."""
    rates = results.latency.get("rates", {})
    knee = results.latency.get("knees", {}).get("nginx", 0)
    values = {"p50": lambda s: s.p50, "p99": lambda s: s.p99, "p99.9": lambda s: s.p999}
    peers = [peer for peer in ("direct", "nginx", "wxgate") if any(by.get(peer) for by in rates.values())]
    points = {
        (peer, title): [(knee * float(part), median(by[peer], value) / 1000) for part, by in rates.items() if by.get(peer)]
        for peer in peers for title, value in values.items()
    }
    seen = [y for line in points.values() for _, y in line] or [1]
    low, high = (math.floor(math.log10(min(seen))), math.ceil(math.log10(max(seen))))
    high = max(high, low + 1)
    top, bottom, width, gap = 70, 270, 200, 28
    picture = Picture(720, 316, "Latency over the rate, ms")
    picture.text(40, 16, "Latency, ms, from when a request was due; HTTPS upstream, 32 connections", weight="bold")
    legend(picture, ("nginx", "wxgate", "direct"), 40, 36)
    y_of = lambda value: bottom - (bottom - top) * (math.log10(value) - low) / (high - low)
    for number, title in enumerate(values):
        left = 40 + number * (width + gap)
        x_of = lambda rate, left=left: left + width * rate / (knee or 1)
        picture.text(left + width / 2, top - 10, title, "middle", weight="bold")
        for power in range(low, high + 1):
            y = y_of(10.0 ** power)
            picture.line([(left, y), (left + width, y)], GRID)
            if number == 0:
                picture.text(left - 6, y + 4, f"{10.0 ** power:g}", "end")
        for part in rates:
            rate = knee * float(part)
            picture.line([(x_of(rate), bottom), (x_of(rate), bottom + 4)], TEXT)
            picture.text(x_of(rate), bottom + 18, f"{float(part) * 100:g}", "middle")
        for peer in peers:
            _, shape, colour = LOOKS[peer]
            line = [(x_of(rate), y_of(value)) for rate, value in points[peer, title]]
            picture.line(line, colour, 1.8)
            for x, y in line:
                picture.mark(x, y, shape, colour, 3.5)
    picture.text(40 + 1.5 * width + gap, bottom + 38, f"requests a second, % of nginx's knee ({knee:,.0f})", "middle")
    return picture.written()


def legend(picture, peers, x, y):
    for peer in peers:
        words, shape, colour = LOOKS[peer]
        picture.mark(x + 5, y - 4, shape, colour)
        picture.text(x + 16, y, words)
        x += 110
