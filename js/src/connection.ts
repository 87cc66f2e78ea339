// A channel with callbacks, in whatever it finds itself: a page, a worker, Node.
import type { Dialect } from "./dialect.ts";
import { FULL } from "./full.ts";
import { obeyPage } from "./page.ts";
import { type Handlers, makeSession, type Session, type SessionOptions } from "./session.ts";
import { byFetch, byXhr } from "./transport.ts";

export interface ConnectionOptions extends SessionOptions {
  /** Instead of the global `fetch`. */
  fetch?: typeof fetch | undefined;
  /** Whether to obey the page's, or worker's, events; default: where there is an `addEventListener`. */
  page?: boolean | undefined;
}

/** A session over `fetch`, or XMLHttpRequest where that does not stream; it obeys the page. */
export function connect(dialect: Dialect, options: ConnectionOptions, handlers: Handlers): Session {
  const given = FULL ? options.fetch : undefined;
  const streams = given ?? (globalThis.Response && "body" in Response.prototype);
  const session = makeSession(dialect, options, streams ? byFetch(given) : byXhr, handlers);
  if (!FULL || (options.page ?? "addEventListener" in globalThis)) obeyPage(session);
  return session;
}

/** A session's smallest face. */
export class Connection {
  private readonly _session: Session;

  /**
   * Nothing is asked before `start()`.
   *
   * @param dialect this connection's own.
   * @param handlers read at each event.
   */
  constructor(dialect: Dialect, options: ConnectionOptions, handlers: Handlers) {
    this._session = connect(dialect, options, handlers);
  }

  /** Connects; does nothing where it was called before, or after `close()`. */
  start(): void {
    this._session._start();
  }

  /** Ends it, and tells the server; resolves when it was told, or could not be within a second. */
  close(): Promise<void> {
    return this._session._close();
  }
}
