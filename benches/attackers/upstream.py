"""A fake WeChat that answers well, and on one path answers `100 Continue` without end."""

import asyncio

TOKEN = b'{"access_token":"' + b"T" * 157 + b'","expires_in":7200}'
ANSWER = b'{"errcode":0,"errmsg":"ok","msgid":123456789012345678}'
ENDLESS = "/cgi-bin/endless"


def answer(body):
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def converse(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
            while length:
                length -= len(await reader.readexactly(min(length, 1 << 16)))
            path = head.split(" ")[1]
            if path.startswith(ENDLESS):
                while True:
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
                    await writer.drain()
            writer.write(answer(TOKEN if "token" in path.split("?")[0] else ANSWER))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def serve():
    server = await asyncio.start_server(converse, "127.0.0.1", 0, backlog=4096, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
