"""Reads responses with h11.

A line of the file is HEAD or GET and the response's bytes in hex; prints a line of JSON for each.
"""

import json
import sys

import h11


def read(method, data):
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    response, body, at_end = None, b"", False
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if at_end:
                raise ValueError("it isn't whole")
            connection.receive_data(b"")
            at_end = True
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            break
        elif isinstance(event, h11.ConnectionClosed):
            raise ValueError("there is no response")
    return {
        "status": response.status_code,
        "fields": [[name.decode("latin-1"), value.hex()] for name, value in response.headers],
        "body": body.hex(),
        "rest": connection.trailing_data[0].hex(),
        # It knows no keep-alive in HTTP/1.0.
        "goes_on": connection.their_state is h11.DONE if response.http_version >= b"1.1" else None,
    }


for line in open(sys.argv[1]):
    method, data = line.split(" ")
    try:
        print(json.dumps(read(method, bytes.fromhex(data))))
    except (h11.RemoteProtocolError, ValueError) as error:
        # 501: what it doesn't support, which is no judgement.
        print(json.dumps({"refused": str(error), "unable": getattr(error, "error_status_hint", 0) == 501}))
