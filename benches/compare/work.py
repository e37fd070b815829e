"""What callers ask for: the requests, byte for byte."""

from dataclasses import dataclass

KEY = "an-api-key-for-the-comparison"
HOST = "api.weixin.qq.com"
# The shape of WeChat's short answers: 54 bytes.
ANSWER = '{"errcode":0,"errmsg":"ok","msgid":123456789012345678}'
MEDIA = bytes(range(256)) * 400
BOUNDARY = "compare-boundary"


@dataclass(frozen=True)
class Request:
    """`length` is that of the answer's body."""

    target: str
    method: str = "GET"
    body: bytes = b""
    content_type: str = ""
    length: int = len(ANSWER)

    def encoded(self, key=KEY, close=False):
        """As it is sent. nginx and haproxy get the key too, so that all have the same bytes to
        read."""
        headers = {"Host": HOST, "User-Agent": "Mozilla/5.0 compare", "Accept": "*/*"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if close:
            headers["Connection"] = "close"
        if self.body:
            headers |= {"Content-Type": self.content_type, "Content-Length": str(len(self.body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self.method} {self.target} HTTP/1.1\r\n{lines}\r\n".encode() + self.body


def message(size):
    """A customer service message, filled up to `size` bytes."""
    begin, end = b'{"touser":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","msgtype":"text","text":{"content":"', b'"}}'
    return begin + b"x" * (size - len(begin) - len(end)) + end


def picture(size):
    """A form with a file of `size` bytes."""
    begin = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="media"; filename="a.jpg"\r\n'
             "Content-Type: image/jpeg\r\n\r\n")
    return begin.encode() + bytes(range(256)) * (size // 256) + f"\r\n--{BOUNDARY}--\r\n".encode()


SMALL = Request("/cgi-bin/user/info?openid=o6_bmjrPTlm6_2sgVt7hMZOPfL2M&lang=zh_CN")
POST = Request("/cgi-bin/message/custom/send", "POST", message(2048), "application/json")
DOWNLOAD = Request("/cgi-bin/media/get?media_id=rF4UdIMfYK3efUfyoddYRMU50zMiRmmt", length=len(MEDIA))
UPLOAD = Request("/cgi-bin/media/upload?type=image", "POST", picture(2 << 20), f"multipart/form-data; boundary={BOUNDARY}")
# Answered after 50 ms.
SLOW = Request("/cgi-bin/user/get?next_openid=o6_bmjrPTlm6_2sgVt7hMZOPfL2M")
# Answered well only with the token.
TOKEN_NEEDED = Request("/cgi-bin/getcallbackip?a=b")
