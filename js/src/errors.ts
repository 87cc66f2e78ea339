// What goes wrong with a channel.

/**
 * - `"transport"`: no connection, or one that broke; `cause` is what `fetch` said.
 * - `"timeout"`: the server fell silent.
 * - `"http"`: a status that no other code is about.
 * - `"token-expired"`, `"token-invalid"`: a 401 with those words. `"token"`: the function that makes tokens failed.
 * - `"session-lost"`: the server forgot the session, and no new one was wanted.
 * - `"maps-refused"`: the server refused what was sent (`maps`); the channel goes on.
 * - `"corrupt"`: a body that is no run of chunks, or an array that cannot be read.
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

/** The only error that channels throw, apart from `TypeError` for wrong arguments. */
export class ChannelError extends Error {
  override readonly name = "ChannelError";
  /** The response's status; 0 where there was none. */
  status = 0;
  /** The response's reason phrase, or the beginning of its body where there is none (HTTP/2 has none). */
  reason = "";
  /** The beginning of the response's body. */
  body = "";
  /** What was refused, for `"maps-refused"`. */
  maps: Fields[] = [];
  /** Whether the channel has ended with it. */
  fatal = true;

  constructor(
    readonly code: ErrorCode,
    message: string,
    /** The error that led to it, if any. */
    override readonly cause?: unknown,
  ) {
    super(message);
  }
}

/** For bodies that are no run of chunks. */
export function corrupt(words: string): ChannelError {
  return new ChannelError("corrupt", words);
}
