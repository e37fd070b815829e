"""A day in the life of a service that uses wechatpy, whose code is unmodified, behind the proxy. The guide's lines stand
above and make `client` and `Gate`.

Before each call but the first, somebody else rotates the token at WeChat. Each answer is checked; one line of JSON says
what was done, so that the other side of the test can compare it with what WeChat saw.
"""

import argparse
import hashlib
import io
import json
import random
import urllib.request

MEDIA_SIZES = [1_000, 65_537, 3_000_000]


class Wechat:
    """Makes calls, with a rotation before each but the first, and remembers how many of which path."""

    def __init__(self, sandbox, appid):
        self.url, self.appid = sandbox + "/sandbox/rotate", appid
        self.calls, self.rotations = {}, 0

    def call(self, path, method, *arguments):
        if self.calls:
            self.rotate()
        self.calls[path] = self.calls.get(path, 0) + 1
        return method(*arguments)

    def rotate(self):
        order = urllib.request.Request(self.url, json.dumps({"appid": self.appid}).encode())
        with urllib.request.urlopen(order, timeout=10) as answer:
            changed = json.load(answer)["changed"]
        assert changed == 1, f"{changed} tokens were rotated"
        self.rotations += 1


def picture(size):
    """Bytes of no text encoding, with something in them that must not be mistaken for an error."""
    file = io.BytesIO(b'\xff\xd8\xff\xe0{"errcode":40001,"errmsg":"in a picture"}' + random.Random(size).randbytes(size))
    file.name = "picture.jpg"
    return file


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def a_round(client, wechat, number):
    """Each of the everyday calls; gives the message's id and the uploaded file's digest."""
    openid = f"o{number}"
    user = wechat.call("/cgi-bin/user/info", client.user.get, openid)
    assert user["openid"] == openid, user

    data = {"first": {"value": "\u8ba2\u5355 \u2713"}}
    send = client.message.send_template
    message = wechat.call("/cgi-bin/message/template/send", send, openid, "TEMPLATE", data)
    assert message["errcode"] == 0, message

    file = picture(MEDIA_SIZES[number])
    uploaded = wechat.call("/cgi-bin/media/upload", client.media.upload, "image", file)
    assert uploaded["type"] == "image", uploaded
    downloaded = wechat.call("/cgi-bin/media/get", client.media.download, uploaded["media_id"])
    digest = sha256(file.getvalue())
    assert sha256(downloaded.content) == digest, f"{len(downloaded.content)} other bytes came back"

    # A class with a base of its own, and a picture for an answer.
    code = wechat.call("/wxa/getwxacode", client.wxa.get_wxa_code, "pages/index")
    assert code.content.startswith(b"\xff\xd8"), code.content[:80]
    return message["msgid"], digest


def with_a_stable_token(client, wechat):
    """wechatpy has no call for stable_token; services post it themselves and hand the token to the client."""
    credentials = {"grant_type": "client_credential", "appid": client.appid, "secret": client.secret}
    answer = client.post("stable_token", data=credentials)
    assert answer["expires_in"] == 7200, answer
    handed = WeChatClient(client.appid, "", access_token=answer["access_token"])
    handed._http.mount("https://api.weixin.qq.com", Gate())
    user = wechat.call("/cgi-bin/user/info", handed.user.get, "stable")
    assert user["openid"] == "stable", user


def main():
    arguments = argparse.ArgumentParser()
    for name in ("appid", "sandbox"):
        arguments.add_argument(name)
    given = arguments.parse_args()

    wechat = Wechat(given.sandbox, given.appid)
    rounds = [a_round(client, wechat, number) for number in range(len(MEDIA_SIZES))]
    with_a_stable_token(client, wechat)

    messages = [message for message, _ in rounds]
    assert messages == list(range(messages[0], messages[0] + len(messages))), f"{messages}: one went out twice"
    report = {"calls": wechat.calls, "rotations": wechat.rotations, "media": [digest for _, digest in rounds]}
    print(json.dumps(report))


main()
