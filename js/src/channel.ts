// Channels as async iterators.
import { browserChannel, type Sender } from "./browserchannel.ts";
import { type ConnectionOptions, connect } from "./connection.ts";
import type { Dialect } from "./dialect.ts";
import { ChannelError } from "./errors.ts";
import type { Session, State } from "./session.ts";
import { type Token, talk } from "./talk.ts";

export interface ChannelOptions extends ConnectionOptions {
  /** Closes the channel; who waits gets its `reason` as an error. */
  signal?: AbortSignal | undefined;
  /** Called when the state changes, with the new one. What it throws is an uncaught error. */
  onState?: ((state: State) => void) | undefined;
  /** Messages that may wait before the response is held back; default 1,000. */
  queueLimit?: number | undefined;
}

// Somebody who waits: for a message, for the opening, for maps to be confirmed.
interface Waiter<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

type Item<T> = { value: T } | { error: unknown };

/** What both kinds of channel have in common. */
abstract class Channel<T> implements AsyncIterableIterator<T, undefined> {
  private readonly _session: Session;
  private readonly _queue: Item<T>[] = [];
  private readonly _takers: Waiter<IteratorResult<T, undefined>>[] = [];
  private readonly _openers: Waiter<void>[] = [];
  private readonly _flushers: Waiter<void>[] = [];
  private _isOpen = false;
  private _isEnded = false;
  // What it has ended with.
  private _error: unknown = new ChannelError("closed", "the channel is closed");
  private _room: Promise<void> | undefined;
  private _makeRoom = (): void => {};

  /** @internal */
  protected constructor(
    private readonly _dialect: Dialect,
    options: ChannelOptions,
  ) {
    const { signal, queueLimit = 1000 } = options;
    const abort = (): void => {
      this._end(signal?.reason);
      void this._session._close();
    };
    this._session = connect(_dialect, options, {
      onstate: options.onState,
      onopen: () => {
        this._isOpen = true;
        for (const one of this._openers.splice(0)) one.resolve();
      },
      onmessage: (value) => this._put({ value }),
      onconfirmed: () => {
        if (!_dialect._due()) for (const one of this._flushers.splice(0)) one.resolve();
      },
      onerror: (error) => (error.fatal ? this._end(error) : this._report(error)),
      onclose: () => {
        signal?.removeEventListener("abort", abort);
        this._end();
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
    return this._about.state;
  }

  /** The session's id; empty while there is none. */
  get sid(): string {
    return this._about.sid;
  }

  /** The highest array id received in full; -1 before there is one. */
  get aid(): number {
    return this._about.aid;
  }

  /**
   * Connects, and resolves when the server has the client.
   *
   * @throws ChannelError (rejects) why it could not.
   */
  connect(): Promise<void> {
    return this._reach(this._openers, () => this._isOpen);
  }

  /**
   * The next message; `done` once the channel is closed.
   *
   * @throws ChannelError (rejects) what went wrong, once; where its `fatal` is false, the channel goes on.
   */
  next(): Promise<IteratorResult<T, undefined>> {
    this._session._start();
    const item = this._queue.shift();
    if (!this._queue.length) {
      this._makeRoom();
      this._room = undefined;
    }
    return new Promise((resolve, reject) => {
      if (item) settle(item, { resolve, reject });
      else if (this._isEnded) resolve({ done: true, value: undefined });
      else this._takers.push({ resolve, reject });
    });
  }

  /** Closes it: what leaving a `for await` does. */
  async return(): Promise<IteratorResult<T, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends it, and tells the server; resolves when it was told, or could not be within a second. Messages that wait are dropped. */
  async close(): Promise<void> {
    this._queue.length = 0;
    const told = this._session._close();
    this._end();
    await told;
  }

  /** @internal */
  protected get _unsent(): number {
    return this._dialect._due();
  }

  /** @internal */
  protected _begin(): void {
    if (this._isEnded) throw this._error;
    this._session._start();
    this._session._wake();
  }

  /** @internal */
  protected _flush(): Promise<void> {
    return this._reach(this._flushers, () => !this._dialect._due());
  }

  private get _about(): { state: State; sid: string; aid: number } {
    return (this._session._about as NonNullable<Session["_about"]>)();
  }

  private _reach(waiters: Waiter<void>[], isReached: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this._isEnded) return reject(this._error);
      this._session._start();
      if (isReached()) resolve();
      else waiters.push({ resolve, reject });
    });
  }

  private _put(item: Item<T>): void {
    const taker = this._takers.shift();
    if (taker) settle(item, taker);
    else this._queue.push(item);
  }

  // Told once: to who flushes, else to who takes messages.
  private _report(error: ChannelError): void {
    const flushers = this._flushers.splice(0);
    for (const one of flushers) one.reject(error);
    if (!flushers.length) this._put({ error });
  }

  private _end(...errors: unknown[]): void {
    if (this._isEnded) return;
    this._isEnded = true;
    this._makeRoom();
    if (errors.length) {
      [this._error] = errors;
      this._put({ error: this._error });
    }
    for (const one of [...this._openers.splice(0), ...this._flushers.splice(0)]) one.reject(this._error);
    for (const one of this._takers.splice(0)) one.resolve({ done: true, value: undefined });
  }
}

function settle<T>(item: Item<T>, taker: Waiter<IteratorResult<T, undefined>>): void {
  if ("error" in item) taker.reject(item.error);
  else taker.resolve({ done: false, value: item.value });
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

/** What a `BrowserChannel` may be told. */
export interface BrowserChannelOptions extends Omit<ChannelOptions, "url"> {
  /** Bytes of maps, about, that may wait to be sent; default 16 MiB. */
  maxUnsent?: number | undefined;
}

/** A two-way channel, as Closure's `goog.net.BrowserChannel` is one; its messages are each array's data. */
export class BrowserChannel<T = unknown> extends Channel<T> {
  private readonly _sender: Sender;

  /** @param url the base URL: what stands before `/bind`. */
  constructor(url: string | URL, options: BrowserChannelOptions = {}) {
    const sender = browserChannel(options.maxUnsent ?? 1 << 24);
    super(sender, { ...options, url: `${url}` });
    this._sender = sender;
  }

  /** How many maps the server has not confirmed. */
  get pending(): number {
    return this._unsent;
  }

  /**
   * Sends a value as JSON: a map with the key `JSON`. What is sent in one turn of the event loop goes in one request.
   *
   * @throws TypeError the value has no JSON.
   * @throws ChannelError `"closed"`, or what the channel has ended with; `"queue-full"`.
   */
  send(value: unknown): void {
    const json = JSON.stringify(value);
    if (json === undefined) throw new TypeError("the value has no JSON");
    this.sendMap({ JSON: json });
  }

  /**
   * Sends a map of names and values.
   *
   * @throws ChannelError as `send` does.
   */
  sendMap(map: Record<string, string>): void {
    this._begin();
    this._sender._send(Object.entries(map).map(([name, value]) => [name, `${value}`]));
  }

  /**
   * Resolves when the server has confirmed all that was sent.
   *
   * @throws ChannelError (rejects) `"maps-refused"`, once, with the maps; what the channel has ended with.
   */
  flush(): Promise<void> {
    return this._flush();
  }
}
