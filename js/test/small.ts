// As small as a script for pages can be.
import { Connection } from "../src/connection.ts";
import type { Handlers } from "../src/session.ts";
import { talk } from "../src/talk.ts";

Object.assign(globalThis, {
  make(token: string, url: string, handlers: Handlers): Connection {
    const connection = new Connection(talk(token), { url }, handlers);
    connection.start();
    return connection;
  },
});
