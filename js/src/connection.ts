// A channel with callbacks: lets a session's requests be carried, keeps its time, and obeys the page it lives in.
import type { Dialect } from "./dialect.ts";
import { ChannelError, type Fields } from "./errors.ts";
import { type Exchange, Session, type SessionOptions, type State } from "./session.ts";
import { byFetch, byXhr, type Transport } from "./transport.ts";

export interface ConnectionOptions extends SessionOptions {
  /** Headers of every request. Across origins they cost a preflight each. */
  headers?: Record<string, string> | undefined;
  /** Whether cookies go to other origins, as `fetch` has it; default: to the page's own origin alone. */
  credentials?: RequestCredentials | undefined;
  /** Instead of the global `fetch`. */
  fetch?: typeof fetch | undefined;
  /** What carries requests; default: `fetch` where it streams, else XMLHttpRequest. */
  transport?: Transport | undefined;
  /** Whether to obey the page's, or worker's, events; default: where there is an `addEventListener`. */
  page?: boolean | undefined;
}

/** What a connection calls; read at each event, so they may be set later. */
export interface Handlers {
  onopen?: (() => void) | undefined;
  onmessage?: ((data: unknown, id: number) => void) | undefined;
  onerror?: ((error: ChannelError) => void) | undefined;
  onclose?: (() => void) | undefined;
  onstate?: ((state: State) => void) | undefined;
  /** Maps were confirmed: see `unsent`. */
  onconfirmed?: (() => void) | undefined;
  /** Resolves when there is room for more messages. */
  room?: (() => Promise<void> | undefined) | undefined;
}

export class Connection {
  private readonly _session: Session;
  private readonly _transport: Transport;
  private readonly _controllers = new Map<Exchange, AbortController>();
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _state: State = "new";
  private _woken = false;
  private _unlisten = (): void => {};

  /** Nothing is asked before `start()`. */
  constructor(
    dialect: Dialect,
    private readonly _options: ConnectionOptions,
    private readonly _handlers: Handlers,
  ) {
    this._session = new Session(dialect, _options, {
      opened: () => this._call("onopen"),
      message: (data, id) => this._call("onmessage", data, id),
      confirmed: () => this._call("onconfirmed"),
      failed: (error) => this._failed(error),
      start: (ex) => void this._carry(ex),
      abort: (ex) => this._controllers.get(ex)?.abort(),
    });
    const streams = typeof Response === "function" && "body" in Response.prototype;
    this._transport = _options.transport ?? (_options.fetch || streams ? byFetch(_options.fetch) : byXhr);
  }

  /** How it stands. */
  get state(): State {
    return this._state;
  }

  /** How many maps the server has not confirmed. */
  get unsent(): number {
    return this._session.unsent;
  }

  /** The session's id; empty while there is none. */
  get sid(): string {
    return this._session.sid;
  }

  /** The highest array id received in full; -1 before there is one. */
  get aid(): number {
    return this._session.aid;
  }

  /** Connects; does nothing where it was called before, or after `close()`. */
  start(): void {
    if (this._state !== "new") return;
    this._setState("connecting");
    if (this._options.page ?? typeof addEventListener === "function") this._unlisten = this._listen();
    this._wake();
  }

  /**
   * Sends a map.
   *
   * @throws ChannelError `"closed"`, `"queue-full"`.
   */
  send(fields: Fields): void {
    if (this._state === "closed") throw new ChannelError("closed", "the channel is closed");
    this._session.send(fields);
    this._wake();
  }

  /** Ends it, and tells the server; resolves when it was told, or could not be within a second. */
  async close(): Promise<void> {
    if (this._state === "closed") return;
    const told = this._terminate();
    this._session.close();
    this._end();
    await told;
  }

  /* ---- Requests ---- */

  private async _carry(ex: Exchange): Promise<void> {
    const session = this._session;
    const controller = new AbortController();
    const { headers, credentials } = this._options;
    let failure: unknown;
    this._controllers.set(ex, controller);
    try {
      const [url, form] = await session.request(ex);
      if (controller.signal.aborted) throw new TypeError("aborted");
      await this._transport(
        { url, form, headers, credentials, signal: controller.signal },
        {
          onHead: (status, reason, retryAfter) => {
            session.onHead(ex, status, reason, readRetryAfter(retryAfter), performance.now());
            this._wake();
          },
          onText: (text) => {
            const more = session.onText(ex, text, performance.now());
            this._tellState();
            const room = this._handlers.room?.();
            return more && room ? this._pause(ex, room) : more;
          },
        },
      );
    } catch (error) {
      failure = error;
    }
    controller.abort();
    this._controllers.delete(ex);
    session.onDone(ex, failure, performance.now());
    this._wake();
  }

  private async _pause(ex: Exchange, room: Promise<void>): Promise<boolean> {
    ex.paused = true;
    await room;
    ex.paused = false;
    ex.lastByte = performance.now();
    this._wake();
    return !ex.verdict;
  }

  private async _terminate(): Promise<void> {
    const { headers, credentials } = this._options;
    const url = this._session.terminateUrl;
    const controller = new AbortController();
    const { signal } = controller;
    let status = 0;
    const receiver = {
      onHead: (found: number) => {
        status = found;
      },
      onText: () => true,
    };
    const request = { url, headers, credentials, signal, keepalive: typeof document === "object" };
    if (!url) return;
    const timer = setTimeout(() => controller.abort(), 1000);
    try {
      await this._transport(request, receiver);
      // Closure's clients terminate by GET; a POST is for servers that say they know none.
      if (status >= 401 && status !== 410) await this._transport({ ...request, form: "" }, receiver);
    } catch {}
    clearTimeout(timer);
  }

  // The page is going: nobody waits for an answer.
  private _leave(): void {
    this._session.suspend(true);
    if ("keepalive" in Request.prototype) void this._terminate();
    else if (this._session.sid) navigator.sendBeacon(this._session.terminateUrl);
  }

  /* ---- Time ---- */

  // In a microtask, so that what is sent meanwhile goes in one request.
  private _wake(): void {
    if (this._woken) return;
    this._woken = true;
    queueMicrotask(() => {
      this._woken = false;
      if (this._state === "new" || this._state === "closed") return;
      clearTimeout(this._timer);
      const now = performance.now();
      const at = this._session.step(now);
      // A timer cannot be set for more than 2 ** 31 ms.
      if (at < Number.POSITIVE_INFINITY) this._timer = setTimeout(() => this._wake(), Math.min(at - now, 1e9));
      this._tellState();
    });
  }

  /* ---- The page ---- */

  private _listen(): () => void {
    const session = this._session;
    const goOn = (reopens: boolean): void => {
      session.suspend(false);
      session.hurry(reopens);
      this._wake();
    };
    const events: Record<string, (event: Event) => void> = {
      online: () => goOn(true),
      offline: () => goOn(true),
      resume: () => goOn(true),
      freeze: () => session.suspend(true),
      pageshow: (event) => (event as PageTransitionEvent).persisted && goOn(true),
      pagehide: (event) => ((event as PageTransitionEvent).persisted ? session.suspend(true) : this._leave()),
      visibilitychange: () => document.hidden || goOn(false),
    };
    const all = Object.entries(events).map(([name, listener]) => {
      // Those of a document do not all reach the window.
      const target = typeof document === "object" && /freeze|resume|vis/.test(name) ? document : globalThis;
      target.addEventListener(name, listener);
      return () => target.removeEventListener(name, listener);
    });
    return () => {
      for (const one of all) one();
    };
  }

  /* ---- Handlers ---- */

  private _failed(error: ChannelError): void {
    if (error.fatal) void this._terminate();
    this._call("onerror", error);
    if (error.fatal) this._end();
  }

  private _end(): void {
    clearTimeout(this._timer);
    this._unlisten();
    if (this._state === "closed") return;
    this._setState("closed");
    queueMicrotask(() => this._call("onclose"));
  }

  private _tellState(): void {
    const state = this._session.state;
    if (this._state !== "closed" && state !== "closed") this._setState(state);
  }

  private _setState(state: State): void {
    if (state === this._state) return;
    this._state = state;
    this._call("onstate", state);
  }

  // What a handler throws is nobody's here: it is reported as uncaught, and the channel goes on.
  private _call(name: Exclude<keyof Handlers, "room">, ...given: unknown[]): void {
    try {
      (this._handlers[name] as ((...given: unknown[]) => void) | undefined)?.(...given);
    } catch (error) {
      setTimeout(() => {
        throw error;
      });
    }
  }
}

function readRetryAfter(value: string | null): number {
  const seconds = Number(value);
  return Math.max(0, seconds >= 0 ? seconds * 1000 : Date.parse(value ?? "") - Date.now() || 0);
}
