"""Results as Markdown, in English or Chinese."""

import latency
import memory
import scenes
from results import cpu, kilobytes_each, median, over

EN, ZH = "en", "zh"
NAMES = {"nginx": "nginx", "lua": "nginx + Lua", "haproxy": "haproxy", "wxgate": "wxgate"}
DIRECT = {EN: "direct", ZH: "直连"}
KINDS = {
    "small": {EN: "small JSON", ZH: "短 JSON"},
    "post": {EN: "2 KB POST", ZH: "2 KB POST"},
    "fresh": {EN: "small JSON, each on a new connection", ZH: "短 JSON，每次新建连接"},
    "download": {EN: "100 KB download", ZH: "100 KB 下载"},
    "upload": {EN: "2 MB upload", ZH: "2 MB 上传"},
}
SCENE = {EN: ["upstream", "request", "connections"], ZH: ["上游", "请求", "连接数"]}
NONE = "-"


def name(peer, language):
    return DIRECT[language] if peer == "direct" else NAMES[peer]


def about(results, language):
    """When, on what and with what."""
    of = results.about
    text = {
        EN: "Measured on {date}: {machine}, Linux {kernel}; {versions}; medians [lowest–highest] of {rounds} rounds of "
            "{seconds} s, of {fewer} where there is no goal.",
        ZH: "测于 {date}：{machine}，Linux {kernel}；{versions}；{rounds} 轮、每轮 {seconds} 秒的中位数 [最低–最高]，没有定目标的为 {fewer} 轮。",
    }
    return text[language].format(**of)


def costs(results, language):
    """CPU of a request: nginx's and wxgate's in microseconds, and everybody's over nginx's."""
    titles = {EN: ["nginx µs (user + system)", "wxgate µs (user + system)"],
              ZH: ["nginx 微秒（用户 + 内核）", "wxgate 微秒（用户 + 内核）"]}
    compared = ("wxgate", "lua", "haproxy")
    rows = [SCENE[language] + titles[language] + [f"{NAMES[peer]} / nginx" for peer in compared]]
    for scene, samples in measured(results):
        times = [microseconds(samples.get(peer)) for peer in ("nginx", "wxgate")]
        ratios = [over(samples, peer, "nginx", cpu) for peer in compared]
        rows.append(labels(scene, language) + times + [ratio.text() if ratio else NONE for ratio in ratios])
    return table(rows)


def rates(results, language):
    """Requests a second, and how long they took while all connections were busy."""
    peers = ("nginx", "lua", "haproxy", "wxgate", "direct")
    rows = [SCENE[language] + [name(peer, language) for peer in peers]]
    for scene, samples in measured(results):
        cells = []
        for peer in peers:
            rate, p50, p99 = (median(samples.get(peer), value)
                              for value in (lambda s: s.rate, lambda s: s.p50, lambda s: s.p99))
            cells.append(f"{rate:,.0f} ({milliseconds(p50)} / {milliseconds(p99)})" if rate else NONE)
        rows.append(labels(scene, language) + cells)
    return table(rows)


def latencies(results, language):
    """p50 / p99 / p99.9 at fixed rates."""
    first = {EN: ["of nginx's knee", "requests/s"], ZH: ["占 nginx 拐点", "请求/秒"]}
    peers = [peer for peer in latency.PEERS if any(peer in by for by in results.latency.get("rates", {}).values())]
    rows = [first[language] + [name(peer, language) for peer in peers]]
    for part, samples in results.latency.get("rates", {}).items():
        cells = []
        for peer in peers:
            values = (median(samples.get(peer), value)
                      for value in (lambda s: s.p50, lambda s: s.p99, lambda s: s.p999))
            cells.append(" / ".join(NONE if value is None else milliseconds(value) for value in values))
        rows.append([f"{float(part):.0%}", f"{results.latency['knees']['nginx'] * float(part):,.0f}", *cells])
    return table(rows)


def knees(results, language):
    both = {peer: f"{rate:,.0f}" for peer, rate in results.latency.get("knees", {}).items()}
    text = {EN: "The knee: nginx {nginx} requests a second, wxgate {wxgate}.",
            ZH: "拐点：nginx 每秒 {nginx} 个请求，wxgate {wxgate} 个。"}
    return text[language].format(**both) if both else ""


def slow(results, language):
    """With an upstream that takes 50 ms: the part of a core, and what is added to a direct call."""
    titles = {EN: ["", "part of a core", "p50: ms more than direct", "p99: ms more than direct"],
              ZH: ["", "占一个核", "p50：比直连多几毫秒", "p99：比直连多几毫秒"]}
    rows = [titles[language]]
    for peer, samples in results.slow.items():
        if peer == "direct":
            continue
        more = [over(results.slow, peer, "direct", value, lambda own, direct: (own - direct) / 1000)
                for value in (lambda s: s.p50, lambda s: s.p99)]
        share = f"{median(samples, lambda s: s.share):.1%}"
        rows.append([name(peer, language), share, *(spread.text() if spread else NONE for spread in more)])
    return table(rows)


def memories(results, language):
    """Resident memory under load and beside idle connections."""
    first, *_, last = memory.STEPS
    titles = {
        EN: ["RSS in MB", "small JSON, 32", "small JSON, 256", "uploads", f"{first:,} idle", f"{last:,} idle",
             f"KB each of {first:,}", f"KB each of {last:,}"],
        ZH: ["RSS，MB", "短 JSON，32", "短 JSON，256", "上传", f"{first:,} 个空闲", f"{last:,} 个空闲",
             f"{first:,} 个时每个 KB", f"{last:,} 个时每个 KB"],
    }
    rows = [titles[language]]
    for peer, sizes in results.memory.items():
        loaded = [median(results.scenes.get(scene, {}).get(peer), lambda s: s.rss / 1024)
                  for scene in ("https-small-32", "https-small-256", "https-upload-8")]
        cells = [NONE if size is None else f"{size:.1f}" for size in loaded]
        cells += [f"{sizes[str(step)] / 1024:.1f}" for step in memory.STEPS]
        rows.append([name(peer, language), *cells, *(f"{kilobytes_each(sizes, step):.1f}" for step in memory.STEPS)])
    return table(rows)


def calls(results, language):
    """System calls of a request; those that are rarer than one in 50 requests are in the sum
    alone."""
    titles = {EN: ["", "system calls", "of these"], ZH: ["", "系统调用", "其中"]}
    rows = [titles[language]]
    for peer, found in results.syscalls.items():
        often = sorted(((number, call) for call, number in found.items() if number >= 0.02), reverse=True)
        rows.append([name(peer, language), f"{sum(found.values()):.2f}",
                     ", ".join(f"{call} {number:.2f}" for number, call in often)])
    return table(rows)


def measured(results):
    """Scenes and their samples, in the order in which scenes are listed."""
    return [(scenes.ALL[key], results.scenes[key]) for key in scenes.ALL if results.scenes.get(key)]


def labels(scene, language):
    return [scene.upstream.upper(), KINDS[scene.kind][language], str(scene.connections)]


def microseconds(samples):
    total, user, system = (median(samples, value) for value in (cpu, lambda s: s.user, lambda s: s.system))
    return NONE if total is None else f"{total:,.1f} ({user:,.1f} + {system:,.1f})"


def milliseconds(microseconds):
    """Three significant digits."""
    value = microseconds / 1000
    digits = 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}"


def table(rows):
    """Rows of a table; the first are its titles. None without any other."""
    if len(rows) == 1:
        return ""
    lines = [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])
