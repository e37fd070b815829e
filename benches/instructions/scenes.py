"""What is counted: configurations with everything on, and a caller's requests."""

import hashlib

SERVER = """
[server]
listen = ["127.0.0.1:{port}"]
workers = 1
[admin]
listen = "127.0.0.1:{admin}"
[upstream]
base_urls = ["http://127.0.0.1:{origin}"]
[log]
format = "json"
"""

APP = """
[[app]]
name = "{name}"
appid = "wx{number:016x}"
secret = {{ env = "SECRET" }}
"""

CALLER = """
[[caller]]
name = "{name}"
key_sha256 = "{digest}"
apps = [{apps}]
"""

# Far above what is sent: they are looked at and let everything through.
LIMITS = """
rate = "1000000/s"
daily = { "/cgi-bin/user/info" = 4000000000, "/cgi-bin/message/custom/send" = 4000000000 }
allow = ["GET /cgi-bin/user/info", "POST /cgi-bin/message/custom/send"]
[[limit]]
endpoint = "/cgi-bin/**"
rate = "1000000/s"
daily = 4000000000
"""

SMALL = "/cgi-bin/user/info?openid=o6_bmjrPTlm6_2sgVt7hMZOPfL2M&lang=zh_CN"
MESSAGE = "/cgi-bin/message/custom/send"
# In two bytes of JSON less than 2 KB of text: a customer service message of some length.
BODY = b'{"touser":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","msgtype":"text","text":{"content":"%s"}}' % (b"x" * 1963)


def key(number):
    """The API key of a caller: as long as those that wxgate makes."""
    return hashlib.sha256(b"a key for counting %d" % number).hexdigest()


def digest(number):
    return hashlib.sha256(key(number).encode()).hexdigest()


def config(ports, origin, apps=1, callers=1, limits=LIMITS):
    """A configuration whose callers may each use all apps; `limits` is the rest of the last caller's table and what
    follows it."""
    names = [f"app-{number:04}" for number in range(apps)]
    port, admin = ports
    tables = [SERVER.format(port=port, admin=admin, origin=origin.port)]
    tables += [APP.format(name=name, number=number) for number, name in enumerate(names)]
    granted = ", ".join(f'"{name}"' for name in names)
    tables += [
        CALLER.format(name=f"caller-{number:04}", digest=digest(number), apps=granted) for number in range(callers)
    ]
    return "".join(tables) + limits


def request(target, caller=0, app=0, body=None, secret=None):
    """A request as an SDK in a service sends it."""
    method = "GET" if body is None else "POST"
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: wxgate:8080\r\nUser-Agent: python-requests/2.32.3\r\n"
        f"Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n"
        f"X-Wxgate-App: app-{app:04}\r\nAuthorization: Bearer {secret or key(caller)}\r\n"
    )
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + (body or b"")
