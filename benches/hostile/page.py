"""What hostile.md says, in English and Chinese."""

TEXTS = {
    "en": """# Hostile requests

<!-- made by `benches/hostile/run`, don't edit -->

The requests, byte for byte, and what wxgate must do with each are in [tests/hostile](../../tests/hostile/README.md), which every
run of the tests sends; here nginx and haproxy, as Debian has them and with nothing configured but the way to the same upstream,
get the same. They are general proxies: a path or a page that wxgate refuses is none of their business, and where they pass
something on they may rightly do so. What concerns all three is *framing*, *request line*, *headers* and *pipelining*.
""",
    "zh": """# 恶意请求

<!-- made by `benches/hostile/run`, don't edit -->

每个请求的原始字节，以及 wxgate 必须怎样处理，都在 [tests/hostile](../../tests/hostile/README.md)，每次测试都会发一遍。这一页把同样的请求也发给 Debian 自带的 nginx 和 haproxy，它们除了指向同一个上游，什么都没有配置。它们是通用代理：wxgate 拒绝的路径或网页与它们无关，转发出去也没有错。与三者都有关的是*报文边界*、*请求行*、*请求头*和*流水线*。
""",
}
COUNT = {
    "en": "- {all} requests, {beside} of them to all three; {must} of these must not reach WeChat.",
    "zh": "- 共 {all} 个请求，其中 {beside} 个三者都发；这 {beside} 个里有 {must} 个绝不能到达微信。",
}
PASSED = {
    "en": "- {name} passed on {sent} of those {must}; of the {shared} in the four chapters that concern all three, {also}.",
    "zh": "- {name}：这 {must} 个里转发了 {sent} 个；其中与三者都有关的四章共 {shared} 个，转发了 {also} 个。",
}
WORDS = {
    "en": """*sent on*: it reached the upstream. *waits*: no answer within 2 s, the connection stayed open. *closed* and *none*: without an
answer, the latter where the caller ended its side. **Bold**: what went on has something in it that servers read in different ways.
""",
    "zh": """*已转发*：到达了上游。*等待*：2 秒内没有响应，连接仍开着。*断开*和*无*：都没有响应，后者是调用方自己先断开的。**粗体**：转发出去的内容，不同的服务器会有不同的读法。
""",
}
ALONE = {
    "en": "wxgate sends on {alone} requests that another refuses:",
    "zh": "有 {alone} 个请求 wxgate 转发了，另两个代理里却有拒绝的：",
}
COLUMNS = {"en": ("chapter", "request", "why"), "zh": ("章", "请求", "原因")}
CHAPTERS = {
    "callers": "调用方",
    "credentials": "凭证",
    "framing": "报文边界",
    "headers": "请求头",
    "host": "Host",
    "methods": "方法",
    "paths": "路径",
    "pipelining": "流水线",
    "protocols": "协议",
    "request_line": "请求行",
}
CELLS = {
    "sent on": "已转发",
    "waits": "等待",
    "closed": "断开",
    "none": "无",
    "length beside chunks": "长度与 chunked 并存",
    "two lengths": "两个长度",
    "underscores": "下划线",
    "overrides": "改写请求",
    "odd bytes": "异常字节",
}


def of(language, names, rows):
    """The page; a row is a case and what each proxy did with it."""
    beside = [(case, outcomes) for case, outcomes in rows if len(outcomes) == len(names)]
    must = [(case, outcomes) for case, outcomes in beside if case.expected and not case.forwarded]
    shared = [(case, outcomes) for case, outcomes in must
              if case.chapter in ("framing", "request_line", "headers", "pipelining")]
    lines = [TEXTS[language], COUNT[language].format(all=len(rows), beside=len(beside), must=len(must))]
    for at, name in enumerate(names):
        sent, also = (sum(not outcomes[at].refused() for _, outcomes in some) for some in (must, shared))
        figures = {"name": name, "sent": sent, "must": len(must), "shared": len(shared), "also": also}
        lines.append(PASSED[language].format(**figures))
    others = alone(rows)
    chapter, request, why = COLUMNS[language]
    lines += ["", WORDS[language], ALONE[language].format(alone=len(others)), "",
              *header([chapter, request, *names, why])]
    for case, outcomes in others:
        cells = [cell(outcome, language) for outcome in outcomes]
        lines.append(row([title(case, language), case.name, *cells, case.reason.get(language, "")]))
    before = None
    for case, outcomes in rows:
        if case.chapter != before:
            before = case.chapter
            heading = title(case, language)
            lines += ["", f"## {heading[0].upper()}{heading[1:]}", "", case.about[language], "",
                      *header([request, *names[:len(outcomes)]])]
        lines.append(row([case.name, *(cell(outcome, language) for outcome in outcomes)]))
    return "\n".join(lines) + "\n"


def alone(rows):
    """What wxgate sends on although another refuses it."""
    return [(case, (ours, *others)) for case, (ours, *others) in rows
            if not ours.refused() and any(other.refused() for other in others)]


def title(case, language):
    return case.chapter.replace("_", " ") if language == "en" else CHAPTERS[case.chapter]


def cell(outcome, language):
    text = outcome.cell()
    if language == "zh":
        for english, chinese in CELLS.items():
            text = text.replace(english, chinese)
        text = text.replace(", ", "，")
    return text


def header(titles):
    return [row(titles), "|" + " --- |" * len(titles)]


def row(cells):
    return f"| {' | '.join(cells)} |"
