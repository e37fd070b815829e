"""counts.toml: what requests cost when it was written, on which machine; and what it was before."""

import platform
import re
import subprocess
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("counts.toml")
HEAD = """\
# Instructions per request, written by `benches/instructions/run --write`. README.md says what counts and how.
# A count that grows has a line in CHANGELOG.md with its name and the new count.
"""
# What changes between two counts of one program.
NOISE = 0.005


class Record:
    """What a counts.toml says."""

    def __init__(self, machine, counts):
        self.machine, self.counts = machine, counts

    @classmethod
    def parse(cls, text):
        read = tomllib.loads(text)
        return cls(read["machine"], read["instructions"])

    @classmethod
    def read(cls):
        return cls.parse(FILE.read_text()) if FILE.exists() else cls({}, {})

    def write(self):
        machine = "".join(f'{name} = "{value}"\n' for name, value in self.machine.items())
        counts = "".join(f"{name} = {count}\n" for name, count in self.counts.items())
        FILE.write_text(f"{HEAD}\n[machine]\n{machine}\n[instructions]\n{counts}")

    def renewed(self, machine, counted):
        """With what was counted; a count that hasn't changed stays, so that noise makes no changes."""
        counts = {name: round(count) for name, count in counted.items()}
        if machine == self.machine:
            for name, count in counts.items():
                former = self.counts.get(name)
                if former and abs(count / former - 1) < NOISE:
                    counts[name] = former
        return Record(machine, counts)


def machine():
    """What an instruction count depends on beside the program's source."""
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    cpu = Path("/proc/cpuinfo").read_text()
    vendor = re.search(r"^(?:vendor_id|CPU implementer)\s*: (.*)$", cpu, re.MULTILINE)
    return {
        "rustc": rustc.stdout.split()[1],
        "libc": " ".join(platform.libc_ver()),
        "cpu": vendor[1] if vendor else platform.machine(),
    }


class History:
    """What git knows of counts.toml."""

    def __init__(self, base=None):
        self.path = str(FILE.relative_to(REPOSITORY))
        latest, head = git("log", "-1", "--format=%H", "--", self.path), git("rev-parse", "HEAD")
        changing = not latest or git("status", "--porcelain", "--", self.path) != ""
        # The commit before the counts became what they are.
        self.before = head if changing else commit(f"{latest}^")
        # What the checkout is compared with: the commit that wrote the file, or the one before it where that one is
        # to be judged.
        self.base = commit(base) if base else self.before if changing or latest == head else latest

    def record(self, revision):
        """What the file was at a commit; empty if it wasn't there."""
        text = git("show", f"{revision}:{self.path}") if revision else ""
        return Record.parse(text) if text else Record({}, {})


def commit(revision):
    """Its hash; empty if there is none."""
    return git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")


def unexplained(now, before, changelog):
    """The counts that grew and of which the changelog says nothing."""
    for name, count in now.counts.items():
        former = before.counts.get(name)
        if former is None or count <= former:
            continue
        entries = re.split(r"^(?=- |#)", changelog, flags=re.MULTILINE)
        if not any("instructions" in entry and name in entry and f"{count:,}" in entry for entry in entries):
            yield name, former, count


def git(*arguments):
    """What git prints; nothing where it fails."""
    # Whoever runs this owns the checkout or is root in a container.
    command = ["git", "-c", f"safe.directory={REPOSITORY}", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout.strip()
