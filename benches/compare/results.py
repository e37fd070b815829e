"""What was measured, and the figures that are made of it."""

import dataclasses
import json
import statistics
from dataclasses import dataclass, field

from load import Sample


@dataclass
class Results:
    """`scenes` and `slow` hold a list of samples for each peer, one for each round; what wasn't
    measured is empty."""

    about: dict
    scenes: dict = field(default_factory=dict)
    latency: dict = field(default_factory=dict)
    slow: dict = field(default_factory=dict)
    memory: dict = field(default_factory=dict)
    syscalls: dict = field(default_factory=dict)

    def save(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1))

    @classmethod
    def load(cls, path):
        def back(value):
            if isinstance(value, list):
                return [back(each) for each in value]
            if isinstance(value, dict):
                is_sample = "p50" in value
                return Sample(**value) if is_sample else {key: back(each) for key, each in value.items()}
            return value

        return cls(**back(json.loads(path.read_text())))


@dataclass(frozen=True)
class Spread:
    """The median over the rounds, and how far to trust it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values):
        values = list(values)
        return cls(statistics.median(values), min(values), max(values)) if values else None

    def text(self, digits=2):
        return f"{self.median:.{digits}f} [{self.low:.{digits}f}–{self.high:.{digits}f}]"


def over(samples, name, base, value, combine=lambda own, other: own / other):
    """A peer's `value` against another's, taken within each round; None if either is missing."""
    pairs = zip(samples.get(name, []), samples.get(base, []), strict=False)
    return Spread.of(combine(value(own), value(other)) for own, other in pairs if own and other)


def median(samples, value):
    """Of a peer's samples; None without any."""
    values = [value(each) for each in samples or [] if each]
    return statistics.median(values) if values else None


def cpu(sample):
    return sample.cpu


def p99(sample):
    return sample.p99


def kilobytes_each(sizes, step):
    """Memory of one of `step` idle connections."""
    return (sizes[str(step)] - sizes["0"]) / step
