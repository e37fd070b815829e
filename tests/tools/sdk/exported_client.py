"""Two services that can't go through the proxy and read the exported token out of Redis: wechatpy, unmodified, on its own
RedisStorage, and one that reads the key as WxJava's WxMpRedisConfigImpl does.

Each line on standard input is a number of calls that each of them makes; each line of output says what came of them. A
service that tries to fetch a token of its own ends the script.
"""

import json
import sys
import urllib.request

import redis
from wechatpy import WeChatClient
from wechatpy.session.redisstorage import RedisStorage

WECHAT = "https://api.weixin.qq.com"


class Client(WeChatClient):
    def fetch_access_token(self):
        raise SystemExit("wechatpy fetches a token of its own")


class WxJava:
    """A key counts as expired in its last two seconds."""

    def __init__(self, sandbox, server, appid):
        self.sandbox, self.server, self.key = sandbox, server, f"wx:access_token:{appid}"

    def token(self):
        if self.server.ttl(self.key) < 2:
            raise SystemExit("WxJava fetches a token of its own")
        return self.server.get(self.key).decode()

    def call(self):
        url = f"{self.sandbox}/cgi-bin/user/info?access_token={self.token()}&openid=wxjava"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer).get("errcode", 0)


def main():
    sandbox, port, appid = sys.argv[1:]
    server = redis.Redis(port=int(port))
    Client.API_BASE_URL = WeChatClient.API_BASE_URL.replace(WECHAT, sandbox)
    wechatpy = Client(appid, "not-the-secret", session=RedisStorage(server), auto_retry=False, timeout=10)
    wxjava = WxJava(sandbox, server, appid)
    tokens = set()
    for line in sys.stdin:
        for _ in range(int(line)):
            # Raises what WeChat answers with an errcode.
            assert wechatpy.user.get("wechatpy")["openid"] == "wechatpy"
            assert wxjava.call() == 0
            tokens.add(wxjava.token())
        print(json.dumps({"calls": int(line), "tokens": len(tokens)}), flush=True)


main()
