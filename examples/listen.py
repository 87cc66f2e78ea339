"""Print the messages of a channel, for days if need be: listen.py TOKEN_FILE [BASE_URL].

The file is read when a token is needed, and again when that token has expired: whoever gets tokens from the
application writes them there.
"""

import logging
import pathlib
import sys

from gaechannel import ChannelError, Client


def main() -> int:
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    # What is mended on the way: lost connections, sessions that the server has forgotten.
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    token_file = pathlib.Path(sys.argv[1])

    def get_token() -> str:
        return token_file.read_text().strip()

    with Client(get_token, base_url=sys.argv[2] if len(sys.argv) == 3 else None) as client:
        try:
            for message in client:
                print(message, flush=True)
        except ChannelError as error:
            print(f"the channel has failed: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            print(f"no token can be read: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
        finally:
            if client.stats.sessions:
                print(client.stats, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
