"""The repeat of the base: what has a goal, measured in several runs of its own; a figure counts if
they agree."""

import goals
import latency
import scenes

RUNS = 3
APART = 0.05


def measure(number, session):
    """One run, with servers of its own; `session` knows how to measure and what to do with what
    fails."""
    results = session.results()
    for name in goals.CPU:
        peers = ("nginx", "lua", "wxgate") if name == "https-small-32" else ("nginx", "wxgate")
        results.scenes[name] = session.attempt(f"run {number}, {name}", lambda name=name, peers=peers: scenes.measure(
            scenes.ALL[name], session.bench, session.load, peers, session.rounds)) or {}
    results.latency = session.attempt(f"run {number}, latency", lambda: latency.measure(
        session.bench, session.load, {goals.HALF: session.rounds}, ("nginx", "wxgate"))) or {}
    return results


def told(runs):
    """A line for each figure, and whether all count."""
    lines, agree = [], True
    for goal in goals.GOALS:
        figures = [goal.figure(results) for results in runs]
        if any(figure is None for figure in figures):
            continue
        medians = [figure.median for figure in figures]
        apart = max(medians) - min(medians)
        agree &= apart <= APART
        lines.append(f"{goal.title:45} {'  '.join(figure.text() for figure in figures)}  {apart:.3f} apart: "
                     f"{'counts' if apart <= APART else 'DOES NOT COUNT'}")
    return lines, agree
