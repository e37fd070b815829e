#!/usr/bin/env python3
"""Makes src/wechat/catalogue/catalogue.tsv from a table of WeChat's endpoints, and the sandbox's own copy of it,
src/sandbox/endpoints/catalogue.tsv: regenerate.py [ENDPOINTS.TSV], else from endpoints.tsv beside it

The input's columns: method, path (after another host's name where it isn't api.weixin.qq.com), credential class,
kind of body, kind of answer, source. The output has path, credential class, kind of answer, method ("-" where
unknown), host ("-" for api.weixin.qq.com), "signed" where signed.txt has it, and the window of its quota ("-" where
unknown): first the rows of the official platform's hosts, sorted by path, then WeCom's. The two have paths in common that mean different things; within each a path stands once. The sandbox's copy
has path, credential class and host.

Prints how many rows became how many entries. Then make the page of the documentation anew:
REGENERATE=1 cargo test --test it catalogue::page
"""

import pathlib
import sys

SOURCES = pathlib.Path(__file__).parent.parent.parent.parent / "src"
TARGET = SOURCES / "wechat" / "catalogue" / "catalogue.tsv"
SANDBOX = SOURCES / "sandbox" / "endpoints" / "catalogue.tsv"
SEEN = pathlib.Path(__file__).parent / "endpoints.tsv"
SIGNED = pathlib.Path(__file__).parent / "signed.txt"

WORK = "qyapi.weixin.qq.com"
# Off since 2020-09-15: https://developers.weixin.qq.com/community/develop/doc/0002245dcdc8c06f36fa6a47d56400
# Its paths are served by api.weixin.qq.com, some SDKs still name it.
RETIRED = "file.api.weixin.qq.com"

CLASSES = {
    "access_token": "app",
    "authorizer_access_token(access_token)": "authorizer",
    "component_or_access_token": "app_or_component",
    "component_or_access_token?": "app_or_component?",
    "component_access_token": "component",
    "component_access_token(as access_token)": "component_as_access_token",
    "user_oauth_access_token": "user",
    "none:appid+user_refresh_token": "user",
    "appid_secret_query": "secret",
    "appid_appsecret_query": "secret",
    "appid_component_appid_appsecret_query": "component_secret",
    "suite_access_token": "suite",
    "provider_access_token": "provider",
    "device_access_token": "hardware",
    "model_access_token": "hardware",
    # The caller's own secret stays beside the token that wxgate adds.
    "access_token,appsecret": "app",
    "none": "none",
    "none:browser_page": "none",
    "none:ticket_query": "none",
    "none:component_secret_body": "none",
}

# By host and path: endpoints that wxgate answers itself. All others that issue tokens are refused.
TOKEN_ENDPOINTS = {("-", "/cgi-bin/token"), ("-", "/cgi-bin/stable_token"), (WORK, "/cgi-bin/gettoken")}

# Where the SDKs, from whose calls the input was read off, mislead: the class that the input has, and the true one.
CORRECTIONS = {
    # A group's robot is called with its own `key`: https://developer.work.weixin.qq.com/document/path/91770
    (WORK, "/cgi-bin/webhook/send"): ("app", "none"),
    (WORK, "/cgi-bin/webhook/upload_media"): ("app", "none"),
    # `?access_token=PROVIDER_ACCESS_TOKEN` in WeCom's own Python library (weworkapi_python) and on its pages.
    (WORK, "/cgi-bin/service/get_login_info"): ("provider", "provider_as_access_token"),
    # `?suite_access_token=`, as everything that a suite asks about a customer of the company that authorised it.
    (WORK, "/cgi-bin/service/externalcontact/unionid_to_external_userid_3rd"): ("provider", "suite"),
    # They hand out tokens and secrets of devices: https://apifox.com/apidoc/docs-site/406014/api-53717664
    (WORK, "/cgi-bin/openhw/get_model_token"): ("none", "issues"),
    (WORK, "/cgi-bin/openhw/get_device_token"): ("hardware", "issues"),
    (WORK, "/cgi-bin/openhw/get_device_secret"): ("hardware", "issues"),
}

# Where 45009 may be a minute's limit, by WeChat's pages and SDKs' comments. A robot's is 20 messages a minute.
MINUTE = {
    ("-", "/cgi-bin/message/template/send"),
    ("-", "/cgi-bin/message/wxopen/template/send"),
    ("-", "/cgi-bin/message/wxopen/template/uniform_send"),
    ("-", "/wxa/getwxacodeunlimit"),
    (WORK, "/cgi-bin/webhook/send"),
}
# Elsewhere it is the day's for what takes a token on api.weixin.qq.com. WeCom names minutes, hours and days.
DAY = {"app", "authorizer", "app_or_component", "app_or_component?", "component", "component_as_access_token"}

# WeChat lists them beside the other paths of /cgi-bin/express/intracity; no SDK has them.
MISSING = [
    f"POST\t/cgi-bin/express/intracity/{name}\taccess_token\tjson\tjson\t-"
    for name in ("getcity", "getpaymode", "setpaymode")
]


def rows(table):
    unused = set(CORRECTIONS)
    for line in table.splitlines()[1:] + MISSING:
        method, path, wants, _body, answer, _source = line.split("\t")
        named, slash, rest = path.partition("/")
        path, host = slash + rest, named if named not in ("", RETIRED) else "-"
        if wants.startswith("issues_token:"):
            known_as = "token" if (host, path) in TOKEN_ENDPOINTS else "issues"
        else:
            known_as = CLASSES[wants]
        if (host, path) in CORRECTIONS:
            unused.discard((host, path))
            wrong, known_as_now = CORRECTIONS[host, path]
            assert known_as == wrong, f"{host} {path}: {known_as}, so the correction is out of date"
            known_as = known_as_now
        yield named == RETIRED, (path, known_as, answer, "-" if method == "unknown" else method, host)
    assert not unused, f"corrections of what isn't there: {unused}"


def window(host, path, known_as):
    if (host, path) in MINUTE:
        return "minute"
    return "day" if host == "-" and known_as in DAY else "-"


def main():
    signed = {line for line in SIGNED.read_text(encoding="utf-8").splitlines() if line.startswith("/")}
    table_of_endpoints = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else SEEN
    entries = {}
    count = doubles = 0
    # The retired host's rows come last: what api.weixin.qq.com has of the same path counts.
    for retired, row in sorted(rows(table_of_endpoints.read_text(encoding="utf-8"))):
        key = (row[4] == WORK, row[0])
        count += 1
        if key in entries:
            doubles += 1
            assert retired and entries[key][1] == row[1], f"{row} is not {entries[key]}"
        else:
            entries[key] = row
    assert count == len(entries) + doubles
    ordered = [entries[key] for key in sorted(entries)]
    there = {(row[4], row[0]) for row in ordered}
    missing = (MINUTE | {("-", path) for path in signed}) - there
    assert not missing, f"no rows: {missing}"
    table = []
    for row in ordered:
        path, known_as, host = row[0], row[1], row[4]
        mark = "signed" if host == "-" and path in signed else "-"
        table.append("\t".join((*row, mark, window(host, path, known_as))) + "\n")
    TARGET.write_text("".join(table), encoding="utf-8")
    copy = ((path, wants, host) for path, wants, _answer, _method, host in ordered)
    SANDBOX.write_text("".join("\t".join(row) + "\n" for row in copy), encoding="utf-8")
    work = sum(is_work for is_work, _ in entries)
    print(f"{count} rows: {len(entries) - work} entries, {work} of WeCom, {doubles} also on {RETIRED}")


main()
