"""Reads tests/hostile: the requests, and what wxgate must do with each. The format is told in its README.md."""

import re
from dataclasses import dataclass, field

ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "s": b" ", "\\": b"\\"}


@dataclass
class Case:
    chapter: str
    about: dict
    callers: bool
    name: str
    request: bytes = b""
    gone: bool = False
    reason: dict = field(default_factory=dict)
    expected: list = field(default_factory=list)

    @property
    def answers(self):
        """(status, code) of each."""
        lines = [line[3:].split() for line in self.expected if re.match(r"-> \d", line)]
        return [(int(words[0]), words[1] if len(words) > 1 else "") for words in lines]

    @property
    def forwarded(self):
        return sum(line.startswith("=> ") for line in self.expected)


def read(path):
    """Every case of a chapter."""
    about, callers, names, cases, text = {}, False, {}, [], ""
    for line in [*path.read_text().splitlines(), "== end"]:
        if line.startswith("== "):
            if cases:
                cases[-1].request, cases[-1].gone = decoded(text, names)
            cases.append(Case(path.stem, about, callers, line[3:]))
            text = ""
        elif not cases:
            if line.startswith("# "):
                about["en"] = line[2:]
            elif line.startswith("#zh "):
                about["zh"] = line[4:]
            elif line == "callers":
                callers = True
            elif line.startswith("let "):
                name, _, value = line[4:].partition(" = ")
                names[name] = value
        elif line[:2] in ("->", "=>", "=+", "=-"):
            cases[-1].expected.append(line)
        elif line.startswith("-- zh "):
            cases[-1].reason["zh"] = line[6:]
        elif line[:3] == "-- ":
            cases[-1].reason["en"] = line[3:]
        else:
            text += line
    return cases[:-1]


def decoded(text, names):
    """The bytes that a case's lines stand for, and whether the caller ends its side behind them."""
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(f"${name}", decoded_names(names[name], names))
    gone = text.endswith("\\|")
    return unescaped(text.removesuffix("\\|")), gone


def decoded_names(text, names):
    for name, value in names.items():
        text = text.replace(f"${name}", value)
    return text


def unescaped(text):
    out, at = bytearray(), 0
    while at < len(text):
        if text[at] != "\\":
            out += text[at].encode()
            at += 1
        elif text[at + 1] == "x":
            out.append(int(text[at + 2:at + 4], 16))
            at += 4
        elif text[at + 1] == "(":
            end = closing(text, at + 2)
            times, _, what = text[at + 2:end].partition("*")
            out += int(times) * unescaped(what)
            at = end + 1
        else:
            out += ESCAPES[text[at + 1]]
            at += 2
    return bytes(out)


def closing(text, at):
    """Where the bracket ends that was opened before `at`."""
    depth = 1
    while depth:
        if text[at] == "\\":
            depth += text[at + 1] == "("
            at += 2
            continue
        depth -= text[at] == ")"
        at += 1
    return at - 1
