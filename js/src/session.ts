// What to ask next, and what an answer means: SID, AID, RID, maps, control arrays, lost sessions, waits. It asks
// nobody itself, and has no clock.
import { Buffering } from "./buffering.ts";
import type { Dialect, Kind } from "./dialect.ts";
import { ChannelError, corrupt, type ErrorCode, type Fields } from "./errors.ts";
import { Framer } from "./framing.ts";
import { parse } from "./literal.ts";

/** How a channel stands. */
export type State = "new" | "connecting" | "open" | "waiting" | "closed";

export interface SessionOptions {
  /** The base URL: what stands before the dialect's own paths. */
  url: string;
  /** Parameters of every query. */
  params?: Record<string, string> | undefined;
  /** How long the back channel may be silent, in ms; default: 1.5 times the announced keep-alive, else 60,000. */
  timeout?: number | undefined;
  /** How long any other request may be without progress, in ms; one more for each 10 bytes that it sends. Default 30,000. */
  requestTimeout?: number | undefined;
  /** The longest wait between tries, in ms; default 32,000. */
  maxBackoff?: number | undefined;
  /** Failures in a row after which it gives up; default: never, once the server has answered. */
  maxReconnects?: number | undefined;
  /** Whether a new session is opened when the server forgot the old one; default true. */
  newSessions?: boolean | undefined;
  /** Bytes of maps, about, that may wait to be sent; default 16 MiB. */
  maxUnsent?: number | undefined;
}

/** What a session tells; each is called in order, and none of them throws. */
export interface Listener {
  /** The server has the client; before any message, and once. */
  opened(): void;
  message(data: unknown, id: number): void;
  /** Maps were confirmed. */
  confirmed(): void;
  /** What went wrong; where `error.fatal`, the session has ended. */
  failed(error: ChannelError): void;
  /** Starts the request of an exchange. */
  start(ex: Exchange): void;
  /** Gives up the request of an exchange, which then ends. */
  abort(ex: Exchange): void;
}

/** Why a request was given up. */
type Verdict = "timeout" | "dead" | "held" | "cancelled" | "";

/** One of a session's two requests: forward or back channel. */
export class Exchange {
  kind: Kind = "back";
  active = false;
  /** Its body is held back: messages wait. */
  paused = false;
  verdict: Verdict = "";
  rid = 0;
  /** Maps in it. */
  maps = 0;
  /** Units of its body. */
  size = 0;
  status = 0;
  /** The reason phrase. */
  reason = "";
  /** A body that is not streamed. */
  reply = "";
  /** `Retry-After`, in ms. */
  retryAfter = 0;
  /** Arrays that came with it. */
  arrays = 0;
  started = 0;
  lastByte = 0;
  firstByte = 0;
  progress = 0;
  framer = new Framer();
  // Over several requests: the next one's time, and what the server has set of it; failures in a row; answers of
  // somebody else in a row, and since when; responses in a row that ended at once and empty.
  notBefore = 0;
  notSooner = 0;
  failures = 0;
  foreign = 0;
  foreignSince = 0;
  fruitless = 0;
}

// The figures are those of the project's C core, which says why.
const FIRST_BACKOFF_MS = 1000;
const MAX_SILENCE_WAIT_MS = 5000;
const OUTLASTED = 5;
const OUTLASTED_MS = 60_000;
const MAX_CORRUPT = 5;
const MAX_UNCONFIRMED = 7;
const MAX_LOST_AT_FIRST = 8;
const MAX_LOST = 3;
const MAX_FRUITLESS = 3;
const AT_ONCE_MS = 1000;
const UNANSWERED_MS = 10_000;
const DEAD_BACK_CHANNEL_MS = 6000;
const LOST_BACK_CHANNEL_MS = 3000;
const BUSY_BYTES = 37_500;
const MAX_KEEPALIVE_MS = 3_600_000;
const PROGRESS_BYTES = 1024;
// Express's form parser reads 1,000 fields and drops the rest without a word.
const MAX_FIELDS = 900;
const MAX_BODY = 1 << 17;

export class Session {
  sid = "";
  aid = -1;
  clid = "";
  gsessionid = "";
  /** `OSID` and `OAID` of the session that the next one replaces. */
  replaces: Fields | undefined;
  ended = false;
  /** Nothing is to be asked for now: the page is frozen. */
  suspended = false;
  private readonly _forward = new Exchange();
  private readonly _back = new Exchange();
  private readonly _buffering = new Buffering();
  private _rid: number;
  private readonly _maps: { fields: Fields; size: number }[] = [];
  private _unsent = 0;
  // Maps of this session that are confirmed; those in front of the others that only fill a refused one's place.
  private _gone = 0;
  private _fillers = 0;
  private _unfillable = false;
  private _keepalive = 0;
  private _deadAt = Number.POSITIVE_INFINITY;
  // Whether the server says that it has sent what did not come.
  private _owes = false;
  private _behindOpening = false;
  // The array that could not be read when it last came.
  private _poison = -1;
  private _told = false;
  // What back channels have shown, over all sessions: one was answered; one has brought arrays.
  private _answered = false;
  private _worked = false;
  private _tokenWorked = false;
  private _expiredInRow = 0;
  private _lostInRow = 0;
  private _corruptInRow = 0;

  constructor(
    private readonly _dialect: Dialect,
    private readonly _options: SessionOptions,
    private readonly _listener: Listener,
  ) {
    this._rid = _dialect.firstRid ?? 10_000 + Math.floor(Math.random() * 90_000);
  }

  /* ---- Maps ---- */

  /** How many maps wait, or are on their way. */
  get unsent(): number {
    return this._maps.length - this._fillers;
  }

  /** @throws ChannelError `"queue-full"`. */
  send(fields: Fields): void {
    const size = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 10, 0);
    if (this._unsent + size > (this._options.maxUnsent ?? 1 << 24))
      throw new ChannelError("queue-full", "too much waits to be sent");
    this._unsent += size;
    this._maps.push({ fields, size });
  }

  private _confirm(count: number): Fields[] {
    const done = this._maps.splice(0, count);
    this._gone += count;
    this._fillers = Math.max(0, this._fillers - count);
    for (const { size } of done) this._unsent -= size;
    return done.map(({ fields }) => fields);
  }

  private _form(ex: Exchange): string {
    const form = new URLSearchParams();
    // Fillers go alone: where they are refused, no map is to be blamed.
    const most = this._fillers || this._maps.length;
    let fields = 0;
    let bytes = 0;
    let count = 0;
    for (const map of this._maps.slice(0, most)) {
      fields += map.fields.length;
      bytes += map.size;
      if (count && (fields > MAX_FIELDS || bytes > MAX_BODY)) break;
      for (const [name, value] of map.fields) form.append(`req${count}_${name}`, value);
      count++;
    }
    ex.maps = count;
    return `count=${count}${count ? `&ofs=${this._gone}&${form}` : ""}`;
  }

  /* ---- What to ask ---- */

  /** Starts and gives up requests; returns when to be asked again, on the clock of `now`. */
  step(now: number): number {
    const back = this._back;
    const forward = this._forward;
    let at = Number.POSITIVE_INFINITY;
    const wait = (until: number): boolean => {
      if (until > now) at = Math.min(at, until);
      return until > now;
    };
    if (this.ended || this.suspended) return at;
    for (const ex of [forward, back])
      if (ex.active && !ex.verdict && !ex.paused) {
        const why = wait(ex.lastByte + this._patience(ex))
          ? ex === back && !wait(this._deadAt)
            ? "dead"
            : ex === back && this._isUnanswered() && !wait(ex.started + UNANSWERED_MS)
              ? "held"
              : ""
          : "timeout";
        if (why) this._giveUp(ex, why);
      }
    const need = this._need();
    if (need && !forward.active && !wait(forward.notBefore)) this._start(forward, need, now);
    if (this.sid && !back.active && !wait(back.notBefore)) this._start(back, "back", now);
    for (const ex of [forward, back]) if (ex.active && !ex.paused) wait(ex.lastByte + this._patience(ex));
    return at;
  }

  get state(): State {
    const back = this._back;
    if (this.ended) return "closed";
    if (this.sid && back.active && back.status === 200) return "open";
    const waits = (ex: Exchange): boolean => !ex.active && !!(ex.failures || ex.fruitless);
    if (waits(back) || (waits(this._forward) && this._need())) return "waiting";
    return this.sid && !back.failures ? "open" : "connecting";
  }

  private _need(): Kind | "" {
    if (this._dialect.initPage && !this.clid) return "init";
    if (!this.sid) return "open";
    return this.unsent ? "maps" : "";
  }

  private _isUnanswered(): boolean {
    return !this._buffering.tried && !this._buffering.streamed && !this._back.status && this._mayRetry(this._back);
  }

  private _patience(ex: Exchange): number {
    const { timeout, requestTimeout } = this._options;
    if (ex === this._back) return timeout ?? (this._keepalive * 1.5 || 60_000);
    return (requestTimeout ?? 30_000) + ex.size / 10;
  }

  private _start(ex: Exchange, kind: Kind, now: number): void {
    Object.assign(ex, { kind, active: true, verdict: "", maps: 0, size: 0, status: 0, reason: "", reply: "" });
    Object.assign(ex, { arrays: 0, firstByte: 0, progress: 0, retryAfter: 0, framer: new Framer() });
    ex.started = ex.lastByte = now;
    ex.rid = this._rid;
    this._listener.start(ex);
  }

  private _giveUp(ex: Exchange, why: Verdict): void {
    if (!ex.active) return;
    ex.verdict = why;
    this._listener.abort(ex);
  }

  private _cancel(): void {
    for (const ex of [this._forward, this._back]) this._giveUp(ex, "cancelled");
  }

  /** The URL and form of an exchange's request; no form: a GET. */
  async request(ex: Exchange): Promise<[url: string, form: string | undefined]> {
    const { kind } = ex;
    const { url, params } = this._options;
    if (kind === "init") {
      const page = this._dialect.initPage as NonNullable<Dialect["initPage"]>;
      return [url + (await page.url(this, url)), undefined];
    }
    if (kind === "open") {
      // A session's maps count from 0.
      this._gone = 0;
      this._unfillable = false;
      this._confirm(this._fillers);
      this._gone = 0;
    }
    const form =
      kind === "back" ? undefined : kind === "open" && !this._dialect.opensWithMaps ? "count=0" : this._form(ex);
    ex.size = form?.length ?? 0;
    return [this._url(kind, ex.rid, ex.failures + 1, params), form];
  }

  /** What ends the session on the server; empty where there is none. */
  get terminateUrl(): string {
    return this.sid && this._url("terminate", this._rid, 1, this._options.params);
  }

  private _url(kind: Kind, rid: number, trial: number, params: Record<string, string> = {}): string {
    const { url } = this._options;
    const isBack = kind === "back";
    const query = new URLSearchParams([
      ["VER", "8"],
      ["RID", isBack ? "rpc" : `${rid}`],
      ...(isBack ? [] : [["CVER", "1"]]),
      ...(kind === "open"
        ? []
        : [
            ["SID", this.sid],
            ["AID", `${this.aid}`],
          ]),
      ...(isBack ? [["CI", this._buffering.batches ? "1" : "0"]] : []),
      ...(isBack || kind === "terminate" ? [["TYPE", isBack ? "xmlhttp" : kind]] : []),
      ...this._dialect.query(this, kind),
      ...Object.entries(params),
      ["zx", randomLetters()],
      ["t", `${trial}`],
    ]);
    const path = url + this._dialect.bindPath;
    return `${path}${path.includes("?") ? "&" : "?"}${query}`;
  }

  /* ---- What the application asks for ---- */

  /** Ends it; nothing is told, and nothing asked any more. */
  close(): void {
    this.ended = true;
    this._cancel();
  }

  /** What stopped the network is over: tries at once. `reopens`: also where the back channel seems to live. */
  hurry(reopens: boolean): void {
    for (const ex of [this._forward, this._back]) ex.notBefore = ex.notSooner;
    if (reopens) this._giveUp(this._back, "dead");
  }

  /** Gives its connections up, and keeps the session. */
  suspend(suspended: boolean): void {
    this.suspended = suspended;
    if (suspended) this._cancel();
  }

  /* ---- What comes ---- */

  /** A response's head; `retryAfter` in ms. */
  onHead(ex: Exchange, status: number, reason: string, retryAfter: number, now: number): void {
    ex.status = status;
    ex.reason = reason;
    ex.lastByte = now;
    ex.retryAfter = Math.min(retryAfter || 0, MAX_KEEPALIVE_MS);
    if (ex !== this._back) return;
    if (!this._owes) this._deadAt = Number.POSITIVE_INFINITY;
    if (status !== 200) return;
    this._answered = this._tokenWorked = true;
    this._expiredInRow = 0;
  }

  /**
   * A piece of a body; whether more is wanted.
   *
   * @throws ChannelError `"corrupt"`.
   */
  onText(ex: Exchange, text: string, now: number): boolean {
    const streams = ex === this._back && ex.status === 200;
    if (!text) return true;
    if (ex.verdict || this.ended) return false;
    ex.firstByte ||= now;
    ex.progress += text.length;
    if (streams || ex.progress >= PROGRESS_BYTES) {
      ex.progress = 0;
      ex.lastByte = now;
    }
    if (streams) {
      this._deadAt = Number.POSITIVE_INFINITY;
      ex.framer.feed(text, (payload) => this._takePayload(payload, ex));
      return !ex.verdict && !this.ended;
    }
    ex.reply += text;
    if (ex.reply.length <= (ex.status === 200 ? 1 << 24 : 1 << 16)) return true;
    if (ex.status === 200) throw corrupt("the reply is too long");
    return false;
  }

  private _takePayload(payload: string, ex: Exchange): void {
    if (!payload.trim()) return;
    for (const array of parse(payload)) {
      this._takeArray(array, ex);
      if (ex.verdict || this.ended) return;
    }
  }

  private _takeArray(array: unknown, ex: Exchange): void {
    if (!Array.isArray(array) || !Number.isSafeInteger(array[0]) || array[0] < 0 || array.length < 2)
      throw corrupt("not an array with an id");
    const [id, data] = array as [number, unknown];
    const opening = ex.kind === "open";
    const first = opening || this._behindOpening;
    const seen = id <= this.aid; // sent again, since our last AID had not reached it
    if (!seen) {
      this.aid = id;
      ex.arrays++;
      this._behindOpening = false;
      if (!opening) this._works(ex);
    }
    const list: unknown[] = Array.isArray(data) ? data : [];
    const [name, word, , , , keepalive] = list;
    if (name === "noop") return;
    if (name === "stop") {
      const why = typeof word === "string" && word ? `: ${word.slice(0, 300)}` : "";
      this.sid = "";
      this._fail("stopped", `the server has stopped the session${why}`);
    } else if (name === "c" && opening && !this.sid && typeof word === "string") {
      this.sid = word;
      const isSane = typeof keepalive === "number" && keepalive > 0 && keepalive < MAX_KEEPALIVE_MS;
      this._keepalive = isSane ? keepalive : 0;
    } else if (!this._dialect.control?.(this, list, first) && !seen) {
      const message = this._dialect.message ? this._dialect.message(this, data) : data;
      if (message === undefined) return;
      this._tellOpened();
      if (!this.ended) this._listener.message(message, id);
    }
  }

  // The back channel has brought something new.
  private _works(ex: Exchange): void {
    this._worked = true;
    ex.failures = ex.foreign = 0;
    this._corruptInRow = this._lostInRow = 0;
  }

  private _tellOpened(): void {
    if (this._told) return;
    this._told = true;
    this._listener.opened();
  }

  /* ---- The end of a request ---- */

  /** A request has ended, or could not be made; `error` says why. */
  onDone(ex: Exchange, error: unknown, now: number): void {
    const { verdict } = ex;
    const isBack = ex === this._back;
    ex.active = false;
    ex.verdict = "";
    if (isBack) this._deadAt = Number.POSITIVE_INFINITY;
    if (this.ended || verdict === "cancelled") return;
    if (isBack && this._wasHeldBack(ex, verdict, now)) return;
    const own = error instanceof ChannelError ? error : undefined;
    if (verdict === "dead") return;
    if (verdict === "timeout") this._fellSilent(ex, now);
    else if (own?.code === "corrupt") this._corrupt(ex, own.message, now);
    else if (own) this._end(own);
    else if (error) this._broken(ex, "transport", words(error), now, Number.POSITIVE_INFINITY, error);
    else if (ex.status !== 200) this._badStatus(ex, now);
    else if (ex.kind === "init") this._initDone(ex, now);
    else if (ex.kind === "open") this._openDone(ex, now);
    else if (ex.kind === "maps") this._mapsDone(ex, now);
    else this._backDone(ex, now);
  }

  private _wasHeldBack(ex: Exchange, verdict: Verdict, now: number): boolean {
    if (ex.arrays) this._buffering.onArrays(ex, now);
    const silent = verdict === "timeout" || verdict === "held" || (verdict === "dead" && this._owes);
    this._owes = false;
    const first = !this._buffering.tried && !ex.status;
    return (silent && this._buffering.onSilence(ex) && first && this._mayRetry(ex)) || verdict === "held";
  }

  private _initDone(ex: Exchange, now: number): void {
    if (this._dialect.initPage?.read(this, ex.reply)) this._wentWell(ex);
    else this._foreignAnswer(ex, "the page does not call new chat.WcsDataClient(…)", now);
  }

  private _openDone(ex: Exchange, now: number): void {
    this._forgetSession();
    try {
      for (const payload of payloads(ex)) for (const array of [...parse(payload)]) this._takeArray(array, ex);
    } catch (error) {
      this._forgetSession();
      this._corrupt(ex, words(error), now);
      return;
    }
    if (this.ended) return;
    if (!this.sid) {
      this._foreignAnswer(ex, "the opening reply names no SID", now);
      return;
    }
    this._wentWell(ex);
    this._rid++;
    this._behindOpening = true;
    this._poison = -1;
    this._confirm(ex.maps);
    const { firstMap } = this._dialect;
    if (!firstMap) {
      if (ex.maps) this._listener.confirmed();
      this._tellOpened();
      return;
    }
    this._confirm(this._maps.length);
    this._gone = 0;
    this.send(firstMap(this));
  }

  private _mapsDone(ex: Exchange, now: number): void {
    let said: number[] | undefined;
    try {
      // One is all there is to say.
      const found = payloads(ex);
      if (found.length === 1) said = [...parse(found[0] as string)] as number[];
    } catch {}
    const isReply = said?.slice(0, 3).every(Number.isSafeInteger) && said.length > 2 && (said[0] as number) >> 1 === 0;
    if (!said || !isReply) {
      const text = "the maps were not confirmed";
      const again = this._worked ? this._outlast(ex, now) : ex.failures < MAX_UNCONFIRMED && this._retry(ex, now);
      if (!again) this._fail("protocol", text, ex);
      return;
    }
    this._wentWell(ex);
    this._rid++;
    this._confirm(ex.maps);
    this._listener.confirmed();
    this._lookAtBackChannel(said, now);
    if (this._dialect.firstMap) this._tellOpened();
  }

  // What a forward reply says of the back channel.
  private _lookAtBackChannel([present, lastId, outstanding]: number[], now: number): void {
    const back = this._back;
    const lostAt = back.started + LOST_BACK_CHANNEL_MS;
    if (!back.active) return;
    if (!present) {
      // The server has lost it; or it is merely on its way, and about to be answered.
      if (lostAt < this._deadAt) {
        this._deadAt = lostAt;
        this._owes = false;
      }
    } else if (
      (lastId as number) > this.aid &&
      (outstanding as number) < BUSY_BYTES &&
      !back.paused &&
      this._deadAt === Number.POSITIVE_INFINITY
    ) {
      this._deadAt = now + DEAD_BACK_CHANNEL_MS;
      this._owes = true;
    }
  }

  private _backDone(ex: Exchange, now: number): void {
    if (!ex.framer.atBoundary) {
      this._broken(ex, "transport", "the body ended inside a chunk", now);
      return;
    }
    if (ex.arrays) this._buffering.onEnd(ex, now);
    this._corruptInRow = 0;
    this._wentWell(ex);
    // A server that ends every back channel at once must not make us run in circles.
    ex.fruitless = !ex.arrays && now - ex.started < AT_ONCE_MS ? ex.fruitless + 1 : 0;
    if (ex.fruitless > MAX_FRUITLESS) ex.notBefore = now + this._backoff(ex.fruitless - MAX_FRUITLESS);
  }

  /* ---- Bad ends ---- */

  private _badStatus(ex: Exchange, now: number): void {
    const { status } = ex;
    const says = (text: string): boolean => `${ex.reason} ${ex.reply}`.replace(/\+/g, " ").toLowerCase().includes(text);
    const named = ex.kind === "maps" || ex.kind === "back";
    if (status === 401) {
      const expired = says("token timed out") || says("expired");
      const invalid = !expired && says("invalid token");
      const again = (expired || (invalid && this._tokenWorked)) && this._dialect.renew?.(this);
      if (!again || this._expiredInRow++) {
        this._fail(expired ? "token-expired" : invalid ? "token-invalid" : "http", "", ex);
        return;
      }
      this._tokenWorked = false;
      this._forgetSession();
      this.clid = "";
    } else if (status >= 400 && (status === 410 || says("unknown sid") || (named && status === 400))) {
      this._lost(ex, named, now);
    } else if (status === 408 || status === 429 || status >= 500) {
      if (!this._retry(ex, now)) this._fail("http", "", ex);
    } else if (!((!ex.maps || status === 404 || status < 400) && this._outlast(ex, now))) {
      this._refused(ex);
    }
  }

  private _lost(ex: Exchange, named: boolean, now: number): void {
    const { newSessions = true, maxReconnects = Number.POSITIVE_INFINITY } = this._options;
    const hopeless = !this._answered && this._lostInRow >= MAX_LOST_AT_FIRST;
    if (!named || hopeless || !newSessions || this._lostInRow >= maxReconnects) {
      this.sid = "";
      this._fail("session-lost", "", ex);
      return;
    }
    this.replaces = [
      ["OSID", this.sid],
      ["OAID", `${this.aid}`],
    ];
    this._forgetSession();
    this._lostInRow++;
    if (!this._dialect.initPage) this.gsessionid = "";
    else if (this._lostInRow >= MAX_LOST) this.clid = "";
    this._back.notBefore = 0;
    this._forward.notBefore = this._lostInRow > 1 ? now + this._backoff(this._lostInRow - 1) : 0;
  }

  // Maps that are refused are not sent again: they would be refused again, and all behind them. What Closure's clients
  // send for a map that cannot be written takes their place: servers wait for an id that was left out.
  private _refused(ex: Exchange): void {
    const count = ex.maps;
    if (ex.status < 400 || !count || this._dialect.firstMap) {
      this._fail("http", "", ex);
      return;
    }
    ex.notBefore = 0;
    if (count <= this._fillers) {
      // A server that refuses fillers, too, is not one that waits for ids.
      this._confirm(this._fillers);
      this._unfillable = true;
      return;
    }
    const known = this._unfillable ? 0 : count;
    const maps = this._confirm(count);
    this._gone -= known;
    for (let i = 0; i < known; i++) this._maps.unshift({ fields: [["type", "_badmap"]], size: 0 });
    this._fillers = known;
    this._report("maps-refused", "", ex, maps);
  }

  private _fellSilent(ex: Exchange, now: number): void {
    const text = `the server fell silent for ${this._patience(ex) / 1000} seconds`;
    // A back channel that has brought something before it fell silent says nothing against the server.
    if (ex.arrays && this._mayRetry(ex)) return;
    this._broken(ex, "timeout", text, now, MAX_SILENCE_WAIT_MS);
  }

  private _broken(
    ex: Exchange,
    code: ErrorCode,
    text: string,
    now: number,
    most = Number.POSITIVE_INFINITY,
    cause?: unknown,
  ): void {
    if (!(this._answered || this.sid) || !this._retry(ex, now, most)) this._fail(code, text, undefined, cause);
  }

  private _corrupt(ex: Exchange, text: string, now: number): void {
    const bad = this.aid + 1;
    if (ex.framer.inChunk && ex === this._back) {
      const again = this._poison === bad;
      this._poison = again ? -1 : bad;
      if (again) {
        // It was asked for twice, and counts as received, or nothing behind it would ever come.
        this.aid = bad;
        this._report("corrupt", `array ${bad} cannot be read: ${text}`);
        return;
      }
    }
    const again = this._worked
      ? this._outlast(ex, now)
      : ++this._corruptInRow < MAX_CORRUPT && (this._answered || this.sid) && this._retry(ex, now);
    if (!again) this._fail("corrupt", text, ex);
  }

  // A 200 that is not what was asked for: somebody else's, a proxy's, a login page.
  private _foreignAnswer(ex: Exchange, text: string, now: number): void {
    if (!this._outlast(ex, now)) this._fail("protocol", text, ex);
  }

  /* ---- Whether there is another try ---- */

  private _mayRetry(ex: Exchange): boolean {
    return ex.failures < (this._options.maxReconnects ?? Number.POSITIVE_INFINITY);
  }

  private _retry(ex: Exchange, now: number, most = Number.POSITIVE_INFINITY): boolean {
    const may = this._mayRetry(ex);
    ex.failures++;
    ex.notSooner = now + ex.retryAfter;
    ex.notBefore = Math.max(now + Math.min(this._backoff(ex.failures), most), ex.notSooner);
    return may;
  }

  private _outlast(ex: Exchange, now: number): boolean {
    if (!this._worked) return false;
    if (!ex.foreign++) ex.foreignSince = now;
    return (ex.foreign <= OUTLASTED || now - ex.foreignSince < OUTLASTED_MS) && this._retry(ex, now);
  }

  private _backoff(failures: number): number {
    const wait = Math.min(FIRST_BACKOFF_MS * 2 ** (failures - 1), this._options.maxBackoff ?? 32_000);
    return wait * (1 - Math.random() / 2);
  }

  private _wentWell(ex: Exchange): void {
    ex.failures = ex.foreign = ex.notBefore = ex.notSooner = 0;
  }

  private _forgetSession(): void {
    this.sid = "";
    this.aid = -1;
    this._cancel();
  }

  /* ---- Errors ---- */

  private _fail(code: ErrorCode, text: string, ex?: Exchange, cause?: unknown): void {
    this._end(makeError(code, text, ex, cause));
  }

  private _end(error: ChannelError): void {
    this.close();
    this._listener.failed(error);
  }

  private _report(code: ErrorCode, text: string, ex?: Exchange, maps: Fields[] = []): void {
    const error = makeError(code, text, ex);
    error.fatal = false;
    error.maps = maps;
    this._listener.failed(error);
  }
}

function makeError(code: ErrorCode, text: string, ex?: Exchange, cause?: unknown): ChannelError {
  const status = ex?.status ?? 0;
  const body = ex?.reply.slice(0, 1 << 16) ?? "";
  const reason = ex?.reason || body.slice(0, 200);
  const error = new ChannelError(code, text || `HTTP status ${status} ${reason}`, cause);
  return Object.assign(error, { status, reason, body });
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : `${error}`;
}

// The payloads of a reply that is whole: a run of chunks, or, as some servers send it, one without its length.
function payloads(ex: Exchange): string[] {
  const found: string[] = [];
  const reply = ex.reply.trim();
  if (reply[0] === "[") return [reply];
  ex.framer.feed(ex.reply, (payload) => {
    if (payload.trim()) found.push(payload);
  });
  if (!ex.framer.atBoundary) throw corrupt("the reply ends inside a chunk");
  return found;
}

/** Against caches; not for secrets. */
export function randomLetters(): string {
  return Math.random().toString(36).slice(2, 14);
}
