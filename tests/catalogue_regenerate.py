#!/usr/bin/env python3
"""Makes src/wechat/catalogue.tsv from a table of WeChat's endpoints: catalogue_regenerate.py ENDPOINTS.TSV

The input's columns: method, path (after another host's name where it isn't api.weixin.qq.com), credential class,
kind of body, kind of answer, source. The output has path, credential class, kind of answer, method ("-" where
unknown) and host ("-" for api.weixin.qq.com), sorted by path, a path once.

Of other hosts only the rows remain that don't simply want an access token: WeCom has paths that the main host has
too, with other meanings, but a path that issues credentials, wants another kind of token or is a browser page must be
known as such whatever host it is asked of.
"""

import pathlib
import sys

TARGET = pathlib.Path(__file__).parent.parent / "src" / "wechat" / "catalogue.tsv"

CLASSES = {
    "access_token": "app",
    "authorizer_access_token(access_token)": "authorizer",
    "component_or_access_token": "app",
    "component_or_access_token?": "app?",
    "component_access_token": "component",
    "component_access_token(as access_token)": "component_as_access_token",
    "user_oauth_access_token": "user",
    "none:appid+user_refresh_token": "user",
    "appid_secret_query": "secret",
    "appid_appsecret_query": "secret",
    "appid_component_appid_appsecret_query": "component_secret",
    "suite_access_token": "suite",
    "provider_access_token": "provider",
    "none:browser_page": "none",
    "none:ticket_query": "none",
    "none:component_secret_body": "none",
}
TOKEN_ENDPOINTS = {"/cgi-bin/token", "/cgi-bin/stable_token"}


def rows(table):
    for line in table.splitlines()[1:]:
        method, path, wants, _body, answer, _source = line.split("\t")
        host, slash, rest = path.partition("/")
        path = slash + rest
        if wants.startswith("issues_token:"):
            known_as = "token" if not host and path in TOKEN_ENDPOINTS else "issues"
        else:
            known_as = CLASSES[wants]
        if host and wants == "access_token":
            continue
        yield path, known_as, answer, "-" if method == "unknown" else method, host or "-"


def main():
    lines = {}
    for row in rows(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")):
        # The main host's row wins over another's.
        if row[0] not in lines or row[4] == "-":
            lines[row[0]] = "\t".join(row)
    TARGET.write_text("".join(lines[path] + "\n" for path in sorted(lines)), encoding="utf-8")


main()
