// What goes wrong with a channel.
import { FULL } from "./full.ts";

/**
 * - `"transport"`: no connection, or one that broke; `cause` is what `fetch` said.
 * - `"timeout"`: the server fell silent.
 * - `"http"`: a status that no other code is about.
 * - `"token-expired"`, `"token-invalid"`: a 401 with those words. `"token"`: the function that makes tokens failed.
 * - `"session-lost"`: the server forgot the session, and no new one was wanted.
 * - `"maps-refused"`: the server refused what was sent (`maps`); the channel goes on.
 * - `"corrupt"`: a body that is no run of chunks, or, where not `fatal`, an array that cannot be read.
 * - `"protocol"`: an answer that says something else than the protocol has.
 * - `"stopped"`: the server ended the session. `"closed"`: used after `close()`.
 * - `"queue-full"`: more waits to be sent than `maxUnsent` allows.
 */
export type ErrorCode =
  | "transport"
  | "timeout"
  | "http"
  | "token-expired"
  | "token-invalid"
  | "token"
  | "session-lost"
  | "maps-refused"
  | "corrupt"
  | "protocol"
  | "stopped"
  | "closed"
  | "queue-full";

/** The names and values of one map, as they were sent. */
export type Fields = [name: string, value: string][];

interface Details {
  status?: number;
  reason?: string;
  body?: string;
  maps?: Fields[];
  fatal?: boolean;
  cause?: unknown;
}

/** The only error that channels throw, apart from `TypeError` for wrong arguments. */
export class ChannelError extends Error {
  readonly code: ErrorCode;
  /** The response's status; 0 where there was none. */
  declare readonly status: number;
  /** The response's reason phrase, or the beginning of its body where there is none (HTTP/2 has none). */
  declare readonly reason: string;
  /** The beginning of the response's body. */
  declare readonly body: string;
  /** What was refused, for `"maps-refused"`. */
  declare readonly maps: Fields[];
  /** Whether the channel has ended with it. */
  declare readonly fatal: boolean;
  /** The error that led to it, if any. */
  declare readonly cause: unknown;

  constructor(code: ErrorCode, message?: string | false, details?: Details) {
    super(message || code);
    this.code = code;
    Object.assign(
      this,
      FULL && { name: "ChannelError", body: "", maps: [], fatal: true },
      { status: 0, reason: "" },
      details,
    );
  }
}
