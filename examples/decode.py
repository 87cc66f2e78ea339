"""Use the decoder alone, under an HTTP client of your own; here, the standard library's: decode.py URL.

Opens a BrowserChannel session at URL, prints every array, and acknowledges what it has received.
"""

import http.client
import sys
from urllib.parse import urlencode, urlsplit

from gaechannel import Decoder


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    url = urlsplit(sys.argv[1])
    connection = http.client.HTTPConnection(url.netloc, timeout=60)

    def request(method: str, body: str | None = None, **query: object) -> http.client.HTTPResponse:
        target = f"{url.path}/bind?{urlencode({'VER': 8, **query})}"
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        if response.status != 200:
            raise SystemExit(f"the server answered {response.status} {response.reason}")
        return response

    # The opening reply: array 0 holds the session's id; arrays that follow it are the application's.
    opening = Decoder()
    arrays = opening.feed(request("POST", "count=0", RID=1, CVER=1).read())
    opening.eof()
    sid = arrays[0][1][1]
    aid = 0

    while True:
        for number, data in arrays:
            if number > aid:  # what was not acknowledged in time comes twice
                aid = number
                print(number, data, flush=True)
            if data == ["stop"]:
                return 0
        # The back channel. A program for daily use would reconnect here when the connection breaks.
        response = request("GET", SID=sid, AID=aid, RID="rpc", CI=0, TYPE="xmlhttp")
        decoder = Decoder()
        arrays = []
        while data := response.read1(65536):
            for number, value in decoder.feed(data):
                arrays.append((number, value))
                if number > aid:
                    aid = number
                    print(number, value, flush=True)
                if value == ["stop"]:
                    return 0
        decoder.eof()


if __name__ == "__main__":
    sys.exit(main())
