// Channels as async iterators.
import { browserChannel } from "./browserchannel.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import type { Dialect } from "./dialect.ts";
import { ChannelError, type Fields } from "./errors.ts";
import type { State } from "./session.ts";
import { type Token, talk } from "./talk.ts";

export interface ChannelOptions extends ConnectionOptions {
  /** Closes the channel; whoever waits gets its `reason` as an error. */
  signal?: AbortSignal | undefined;
  /** Called when the state changes, with the new one. */
  onState?: ((state: State) => void) | undefined;
  /** Messages that may wait before the response is held back; default 1,000. */
  queueLimit?: number | undefined;
}

// Somebody who waits: for a message, for the opening, for maps to be confirmed.
interface Waiter<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** What both kinds of channel have in common. */
abstract class Channel<T> implements AsyncIterableIterator<T> {
  private readonly _connection: Connection;
  private readonly _queue: { value?: T; error?: unknown }[] = [];
  private readonly _takers: Waiter<IteratorResult<T>>[] = [];
  private readonly _openers: Waiter<void>[] = [];
  private readonly _flushers: Waiter<void>[] = [];
  private _isOpen = false;
  // Why it has ended; undefined where that was in order.
  private _error: unknown;
  private _ended = false;
  private _makeRoom: (() => void) | undefined;
  private _room: Promise<void> | undefined;

  protected constructor(dialect: Dialect, options: ChannelOptions) {
    const { signal, onState, queueLimit = 1000 } = options;
    const abort = (): void => this._abort(signal?.reason);
    this._connection = new Connection(dialect, options, {
      onopen: () => {
        this._isOpen = true;
        for (const one of this._openers.splice(0)) one.resolve();
      },
      onmessage: (value) => this._put({ value: value as T }),
      onerror: (error) => this._fail(error),
      onclose: () => {
        signal?.removeEventListener("abort", abort);
        this._end();
      },
      onstate: onState,
      onconfirmed: () => {
        if (!this._connection.unsent) for (const one of this._flushers.splice(0)) one.resolve();
      },
      room: () => {
        if (this._queue.length < queueLimit) return undefined;
        this._room ??= new Promise((resolve) => {
          this._makeRoom = resolve;
        });
        return this._room;
      },
    });
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
  }

  /** How it stands. */
  get state(): State {
    return this._connection.state;
  }

  /** The session's id; empty while there is none. */
  get sid(): string {
    return this._connection.sid;
  }

  /** The highest array id received in full; -1 before there is one. */
  get aid(): number {
    return this._connection.aid;
  }

  /**
   * Connects, and resolves when the server has the client.
   *
   * @throws ChannelError (rejects) why it could not.
   */
  connect(): Promise<void> {
    return this._wait(this._openers, () => this._isOpen);
  }

  /**
   * The next message; `done` once the channel has ended in order.
   *
   * @throws ChannelError (rejects) what went wrong, once; where its `fatal` is false, the channel goes on.
   */
  next(): Promise<IteratorResult<T>> {
    this._connection.start();
    const item = this._queue.shift();
    if (this._makeRoom && this._queue.length === 0) {
      this._makeRoom();
      this._makeRoom = this._room = undefined;
    }
    if (item)
      return "error" in item ? Promise.reject(item.error) : Promise.resolve({ done: false, value: item.value as T });
    if (this._ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this._takers.push({ resolve, reject }));
  }

  /** Closes it: what leaving a `for await` does. */
  async return(): Promise<IteratorResult<T>> {
    await this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends it, and tells the server; resolves when it was told, or could not be within a second. */
  async close(): Promise<void> {
    this._queue.length = 0;
    const closed = this._connection.close();
    this._end();
    await closed;
  }

  protected _send(fields: Fields): void {
    this._connection.send(fields);
    this._connection.start();
  }

  protected _unsent(): number {
    return this._connection.unsent;
  }

  protected _flush(): Promise<void> {
    return this._wait(this._flushers, () => !this._connection.unsent);
  }

  private _wait(waiters: Waiter<void>[], isReached: () => boolean): Promise<void> {
    if (this._ended) return Promise.reject(this._error ?? new ChannelError("closed", "the channel is closed"));
    this._connection.start();
    if (isReached()) return Promise.resolve();
    return new Promise((resolve, reject) => waiters.push({ resolve, reject }));
  }

  private _put(item: { value?: T; error?: unknown }): void {
    const taker = this._takers.shift();
    if (!taker) this._queue.push(item);
    else if ("error" in item) taker.reject(item.error);
    else taker.resolve({ done: false, value: item.value as T });
  }

  // Told once: to who flushes, where it is about maps, else to who takes messages.
  private _fail(error: ChannelError): void {
    const waiting = error.fatal ? [...this._openers.splice(0), ...this._flushers.splice(0)] : this._flushers.splice(0);
    if (error.fatal) this._error = error;
    for (const one of waiting) one.reject(error);
    if (!waiting.length || this._takers.length) this._put({ error });
  }

  private _abort(reason: unknown): void {
    this._error = reason;
    if (!this._ended) this._put({ error: reason });
    this._connection.close();
    this._end();
  }

  private _end(): void {
    if (this._ended) return;
    this._ended = true;
    this._makeRoom?.();
    const error = this._error ?? new ChannelError("closed", "the channel is closed");
    for (const one of [...this._openers.splice(0), ...this._flushers.splice(0)]) one.reject(error);
    for (const one of this._takers.splice(0)) one.resolve({ done: true, value: undefined });
  }
}

/** A channel of the App Engine Channel API; its messages are strings. */
export class TalkChannel extends Channel<string> {
  /**
   * @param token what the application's server got from `create_channel`; or a function that makes one, asked again
   *   when the old one has expired.
   * @throws TypeError the token is neither a string nor a function.
   */
  constructor(token: Token, options: ChannelOptions) {
    super(talk(token), options);
  }
}

/** A two-way channel, as Closure's `goog.net.BrowserChannel` is one; its messages are each array's data. */
export class BrowserChannel<T = unknown> extends Channel<T> {
  /** @param url the base URL: what stands before `/bind`. */
  constructor(url: string | URL, options: Omit<ChannelOptions, "url"> = {}) {
    super(browserChannel(), { ...options, url: `${url}` });
  }

  /**
   * Sends a value as JSON: a map with the key `JSON`.
   *
   * @throws TypeError the value has no JSON.
   * @throws ChannelError `"closed"`, `"queue-full"`.
   */
  send(value: unknown): void {
    const json = JSON.stringify(value);
    if (json === undefined) throw new TypeError("the value has no JSON");
    this._send([["JSON", json]]);
  }

  /**
   * Sends a map of names and values.
   *
   * @throws ChannelError `"closed"`, `"queue-full"`.
   */
  sendMap(map: Record<string, string>): void {
    this._send(Object.entries(map).map(([name, value]) => [name, `${value}`]));
  }

  /**
   * Resolves when the server has confirmed all that was sent.
   *
   * @throws ChannelError (rejects) `"maps-refused"`, once, with the maps; what ended the channel.
   */
  flush(): Promise<void> {
    return this._flush();
  }

  /** How many maps the server has not confirmed. */
  get pending(): number {
    return this._unsent();
  }
}
