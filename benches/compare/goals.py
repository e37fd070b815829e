"""What must hold, and whether it does."""

from dataclasses import dataclass
from typing import Callable

from memory import STEPS
from results import Spread, cpu, kilobytes_each, over, p99

# Where the latency has a goal: half of nginx's knee.
HALF = 0.5


@dataclass(frozen=True)
class Goal:
    """`figure` gives a Spread, or None where it was not measured."""

    title: str
    most: float
    figure: Callable


def of_cpu(scene, base="nginx"):
    return lambda results: over(results.scenes.get(scene, {}), "wxgate", base, cpu)


def of_latency(results):
    return over(results.latency.get("rates", {}).get(str(HALF), {}), "wxgate", "nginx", p99)


def of_memory(results):
    sizes = results.memory.get("wxgate")
    return Spread.of([kilobytes_each(sizes, STEPS[-1])]) if sizes else None


CPU = {
    "https-small-1": 1.00,
    "https-small-32": 1.00,
    "https-small-256": 0.95,
    "http-small-32": 1.08,
    "http-small-256": 1.00,
    "https-download-8": 1.02,
    "https-upload-8": 0.50,
}
GOALS = [
    *(Goal(f"CPU, nginx = 1: {scene}", most, of_cpu(scene)) for scene, most in CPU.items()),
    Goal("CPU, nginx + Lua = 1: https-small-32", 0.75, of_cpu("https-small-32", "lua")),
    Goal("p99 at half of nginx's knee, nginx = 1", 1.1, of_latency),
    Goal(f"KB of one of {STEPS[-1]} idle connections", 8, of_memory),
]


def told(results):
    """A line for each goal that was measured, and whether all of them hold."""
    lines, held = [], True
    for goal in GOALS:
        figure = goal.figure(results)
        if figure:
            holds = figure.median <= goal.most
            held &= holds
            lines.append(f"{goal.title:45} {figure.text():>18}  at most {goal.most:.2f}  {'held' if holds else 'MISSED'}")
    return lines, held
