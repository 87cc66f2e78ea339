"""A server, a client that listens to it in a thread, and a network that fails between them."""

import threading

from gaechannel import Client
from gaechannel.server import LocalServer


def main() -> None:
    with LocalServer() as server:
        print("the server listens on", server.url)
        client = Client(server.create_channel("me"), base_url=server.base_url)

        greeted = threading.Event()

        def receive() -> None:
            for message in client:
                print("received", message)
                greeted.set()
                if message == "good-bye":
                    return

        receiver = threading.Thread(target=receive)
        receiver.start()
        server.send_message("me", "hello")
        greeted.wait()
        print("cut", server.cut(), "connections")
        server.send_message("me", "still there?")
        server.send_message("me", "good-bye")
        receiver.join()
        print(client.stats.messages, "messages,", client.stats.reconnects, "reconnects")
        client.close()


if __name__ == "__main__":
    main()
