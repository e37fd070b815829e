"""Writes what was measured into performance.md of both books, between its marks, and the pictures
beside them."""

import plot
import tables

PAGE = "performance.md"
MADE = "made by `benches/compare/run --all`, don't edit"
PICTURES = {"performance-cpu.svg": plot.costs, "performance-latency.svg": plot.latencies}
ALT = {
    "performance-cpu.svg": {
        "en": "CPU of a request over nginx's for wxgate, nginx with Lua and haproxy; the table below has the figures",
        "zh": "wxgate、nginx + Lua、haproxy 每个请求的 CPU 与 nginx 之比，数字见下表",
    },
    "performance-latency.svg": {
        "en": "p50, p99 and p99.9 of nginx, wxgate and direct calls over the rate; the table below has the figures",
        "zh": "nginx、wxgate 和直连在不同速率下的 p50、p99、p99.9，数字见下表",
    },
}


def parts(results, language):
    """What stands between the marks of each name."""
    return {
        "setup": [tables.about(results, language)],
        "cpu": [picture("performance-cpu.svg", language), tables.costs(results, language)],
        "rates": [tables.rates(results, language)],
        "latency": [picture("performance-latency.svg", language), tables.knees(results, language),
                    tables.latencies(results, language)],
        "slow": [tables.slow(results, language)],
        "memory": [tables.memories(results, language)],
        "syscalls": [tables.calls(results, language)],
    }


def picture(file, language):
    return f"![{ALT[file][language]}](images/{file})"


def write(results, books):
    """`books` is the folder that has both; each part has its place in both languages, or nothing is
    written."""
    texts = {}
    for language in (tables.EN, tables.ZH):
        path = books / language / PAGE
        text = path.read_text()
        for name, blocks in parts(results, language).items():
            begin, end = f"<!-- begin {name}: {MADE} -->\n", f"<!-- end {name} -->"
            before, found, rest = text.partition(begin)
            _, ended, behind = rest.partition(end)
            if not found or not ended:
                raise ValueError(f"{path} has no place for {name}")
            text = "\n\n".join([before + begin.rstrip(), *blocks, end]) + behind
        texts[path] = text
    for path, text in texts.items():
        path.write_text(text)
        for file, drawn in PICTURES.items():
            (path.parent / "images").mkdir(exist_ok=True)
            (path.parent / "images" / file).write_text(drawn(results))
