// What to ask next, and what an answer means: SID, AID, RID, control arrays, lost sessions, waits. Two lanes, the
// forward and the back channel, each with one request at a time.
import { makeBuffering } from "./buffering.ts";
import type { Dialect } from "./dialect.ts";
import { ChannelError, type ErrorCode } from "./errors.ts";
import { Framer, utf8, whole } from "./framing.ts";
import { FULL } from "./full.ts";
import { parse } from "./literal.ts";
import type { Transport } from "./transport.ts";

/** How a channel stands. */
export type State = "new" | "connecting" | "open" | "waiting" | "closed";

/** What a channel tells; read at each event, so they may be set later. */
export interface Handlers {
  /** The server has the client: once, and before any message. */
  onopen?: (() => void) | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the dialect's messages are.
  onmessage?: ((data: any, id: number) => void) | undefined;
  /** Where `error.fatal`, `onclose` follows. */
  onerror?: ((error: ChannelError) => void) | undefined;
  /** Once, and last. */
  onclose?: (() => void) | undefined;
  onstate?: ((state: State) => void) | undefined;
  /** The server has confirmed maps. */
  onconfirmed?: (() => void) | undefined;
  /** Asked after each piece: resolves when there is room for more messages; undefined where there is. */
  room?: (() => Promise<void> | undefined) | undefined;
}

export interface SessionOptions {
  /** The base URL: what stands before the dialect's own paths. */
  url: string;
  /** Parameters of every query. */
  params?: Record<string, string> | undefined;
  /** Headers of every request. Across origins they cost a preflight each. */
  headers?: Record<string, string> | undefined;
  /** Whether cookies go to other origins, as `fetch` has it; default: to the page's own origin alone. */
  credentials?: RequestCredentials | undefined;
  /** How long the back channel may be silent, in ms; default: 1.5 times the announced keep-alive, else 60,000. */
  timeout?: number | undefined;
  /** How long other requests may be without progress, in ms; one more for each 10 bytes sent. Default 30,000. */
  requestTimeout?: number | undefined;
  /** The longest wait between tries, in ms; default 32,000. */
  maxBackoff?: number | undefined;
  /** Failures in a row after which it gives up; default: never, once the server has answered. */
  maxReconnects?: number | undefined;
  /** Whether a new session is opened when the server forgot the old one; default true. */
  newSessions?: boolean | undefined;
}

/** What whoever has a session may do with it. */
export interface Session {
  /** Begins to ask. */
  _start(): void;
  /** Maps wait. */
  _wake(): void;
  /** Ends it; the server is told, if it can be within a second. */
  _close(): Promise<void>;
  /** Tells the server that it ends; by a beacon where no request outlives its page. */
  _terminate(byBeacon?: boolean): Promise<void>;
  /** What stopped the network is over: tries at once. `reopens`: also where the back channel seems to live. */
  _goOn(reopens: boolean): void;
  /** Gives its connections up, and keeps what it knows: the page is frozen. */
  _suspend(): void;
  /** Aborted when it has ended. */
  _life?: AbortSignal | undefined;
  _about?(): { state: State; sid: string; aid: number };
}

/** Why a request was given up. */
enum Why {
  Not,
  Cancelled,
  /** A new one is better. */
  Dead,
  /** The same, and the server says that it has sent what did not come. */
  Owing,
  /** Nothing has come of the first one. */
  Held,
  Silent,
  Corrupt,
}

// In ms, bytes and times. They are those of the project's C core, which says why.
enum Figures {
  Second = 1000,
  MaxBackoff = 32_000,
  MaxSilenceWait = 5000,
  Outlasted = 5,
  Minute = 60_000,
  MaxLostAtFirst = 8,
  // Sessions lost; back channels that have ended at once, and empty.
  MaxInRow = 3,
  Unanswered = 10_000,
  RequestSilence = 30_000,
  Hour = 3_600_000,
  BytesPerMs = 10,
  Progress = 1024,
  MaxReply = 16_777_216,
  MaxErrorBody = 65_536,
}

const NEVER = 1 / 0;

/** Against caches; not for secrets. */
export function letters(): string {
  return Math.random().toString(36).slice(2);
}

function now(): number {
  return performance.now();
}

export function makeSession(
  dialect: Dialect,
  options: SessionOptions,
  transport: Transport,
  handlers: Handlers,
): Session {
  const maxReconnects = (FULL && options.maxReconnects) || (FULL && options.maxReconnects === 0 ? 0 : NEVER);
  const buffering = makeBuffering();
  let state: State = "new";
  let isClosed = false;
  const life = FULL ? new AbortController() : undefined;
  let isStarted = false;
  let isSuspended = false;
  let isTold = false;
  // A back channel's response has begun, and goes on.
  let isStreaming = false;
  let sid = "";
  let aid = -1;
  let rid = dialect._rid;
  let keepalive = 0;
  let isBehindOpening = false;
  // New arrays that the present back channel has brought.
  let arrays = 0;
  // The array that could not be read when it last came.
  let poison = -1;
  let lostInRow = 0;
  let refusedInRow = 0;
  // What back channels have shown, over all sessions: one was answered; one has brought arrays. Of the token: the first.
  let hasAnswered = false;
  let hasWorked = false;
  let hasTokenWorked = false;

  /* ---- Handlers ---- */

  // What a handler throws is nobody's here: it is reported as uncaught, and the channel goes on.
  const tell = (name: Exclude<keyof Handlers, "room">, ...given: unknown[]): void => {
    try {
      (handlers[name] as ((...given: unknown[]) => void) | undefined)?.(...given);
    } catch (error) {
      setTimeout(() => {
        throw error;
      });
    }
  };
  const setState = (next: State): void => {
    if (next === state) return;
    state = next;
    tell("onstate", next);
  };
  const tellOpened = (): void => {
    if (!isTold) {
      isTold = true;
      tell("onopen");
    }
  };
  const end = async (error?: ChannelError): Promise<void> => {
    if (isClosed) return;
    const told = terminate();
    isClosed = true;
    life?.abort();
    forward._stop(Why.Cancelled);
    back._stop(Why.Cancelled);
    if (FULL) setState("closed");
    if (error) tell("onerror", error);
    queueMicrotask(() => tell("onclose"));
    if (FULL) await told;
  };

  /* ---- Requests ---- */

  // 0 before the first failure in a row.
  const backoff = (failures: number): number =>
    failures &&
    Math.min(Figures.Second * 2 ** (failures - 1), (FULL && options.maxBackoff) || Figures.MaxBackoff) *
      (1 - Math.random() / 2);
  const makeUrl = (query: Record<string, unknown>): string => {
    const path = options.url + dialect._path;
    const all = {
      VER: 8,
      ...query,
      ...(sid && { SID: sid, AID: aid }),
      ...dialect._query(!sid),
      ...(FULL && options.params),
      zx: letters(),
    };
    return `${path}${FULL && path.includes("?") ? "&" : "?"}${new URLSearchParams(all as unknown as Record<string, string>)}`;
  };
  const makeInit = (init: RequestInit): RequestInit => {
    if (FULL && options.headers) init.headers = options.headers;
    if (FULL && options.credentials) init.credentials = options.credentials;
    return init;
  };
  const terminate = async (byBeacon?: boolean): Promise<void> => {
    if (!sid) return;
    const url = makeUrl({ RID: rid, CVER: 1, TYPE: "terminate" });
    sid = "";
    if (byBeacon) {
      navigator.sendBeacon(url);
      return;
    }
    if (!FULL) {
      transport(url, undefined, String, Boolean, { keepalive: true }).catch(String); // it will find out
      return;
    }
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), Figures.Second);
    let isRefused = false;
    const ask = (form?: URLSearchParams): Promise<void> =>
      transport(
        url,
        form,
        (status) => {
          isRefused = status > 400 && status !== 410;
        },
        () => true,
        makeInit({ signal: controller.signal, keepalive: true }),
      );
    try {
      await ask();
      // Closure's clients terminate by GET; a POST is for servers that say that they know none.
      if (isRefused) await ask(new URLSearchParams());
    } catch {} // it will find out
    clearTimeout(timer);
  };

  /* ---- Arrays ---- */

  const takeArray = (array: unknown, isOpening: boolean): void => {
    const [id, data] = array as [number, unknown];
    if (!(id >= 0) || (FULL && !(Number.isSafeInteger(id) && Array.isArray(array))) || data === undefined)
      throw FULL ? Error("not an array with an id") : 0;
    const isNew = id > aid; // or sent again, since our last AID had not reached it
    const isFirst = isOpening || isBehindOpening;
    const [name, word, , , , ms] = Array.isArray(data) ? data : [];
    if (isNew) {
      aid = id;
      isBehindOpening = false;
      if (!isOpening) {
        arrays++;
        back._wentWell();
        hasWorked = true;
        lostInRow = 0;
      }
    }
    if (name === "stop") {
      sid = "";
      void end(new ChannelError("stopped", FULL && `the server has stopped the session: ${word ?? "it says no more"}`));
    } else if (name === "c" && isOpening && !sid && typeof word === "string") {
      sid = word;
      keepalive = ms > 0 && ms < Figures.Hour ? ms : 0;
    } else if (name !== "noop") {
      const message = dialect._read(data, isFirst);
      if (isNew && message !== undefined) {
        tellOpened();
        if (!isClosed) tell("onmessage", message, id);
      }
    }
  };

  /* ---- A lane: what both have in common ---- */

  const makeLane = (isBack: boolean) => {
    let controller: AbortController | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    // Of the present request.
    let why = Why.Not as Why;
    let status = 0;
    let reason = "";
    let reply = "";
    let retryAfter = 0;
    let started = 0;
    let framer = new Framer();
    let isDoomed = false;
    // Over several: how long to wait before the next, and whether that is the server's wish; failures in a row;
    // answers of somebody else in a row, and since when.
    let pause = 0;
    let isFirm = false;
    let failures = 0;
    let foreign = 0;
    let foreignSince = 0;
    // Ends the present rest, or the present pause.
    let wake = (): void => {};
    let hurry = wake;

    const stop = (verdict: Why): void => {
      why ||= verdict;
      controller?.abort();
      if (isClosed) {
        hurry();
        wake();
      }
    };
    const wentWell = (): void => {
      failures = foreign = 0;
    };

    /* Whether there is another try. */

    const again = (most = NEVER): boolean => {
      isFirm = retryAfter > 0;
      pause = Math.max(Math.min(backoff(++failures), most), retryAfter);
      return !FULL || failures <= maxReconnects;
    };
    const outlast = (may: unknown): boolean => {
      if (!foreign++) foreignSince = now();
      const isShort = foreign <= Figures.Outlasted || (hasWorked && now() - foreignSince < Figures.Minute);
      return !!may && isShort && again();
    };
    const fail = (code: ErrorCode, text?: string | false, cause?: unknown): void => {
      const said = reason || reply.slice(0, 200);
      const details = { status, reason: said, ...(FULL && { body: reply, cause }) };
      void end(new ChannelError(code, text || (FULL && `HTTP status ${status} ${said}`), details));
    };
    const broken = (code: ErrorCode, text: string | false, most?: number, cause?: unknown): void => {
      if (!(hasAnswered || sid) || !again(most)) fail(code, text, cause);
    };
    const corrupt = (text: string | false): void => {
      if (isBack && framer._inChunk()) {
        const bad = aid + 1;
        if (poison === bad) {
          // It was asked for twice, and counts as received, or nothing behind it would ever come.
          aid = bad;
          if (FULL)
            tell("onerror", new ChannelError("corrupt", `array ${bad} cannot be read: ${text}`, { fatal: false }));
          return;
        }
        poison = bad;
      }
      if (!outlast(hasAnswered || sid)) fail("corrupt", text);
    };

    /* A status that is not 200. */

    const forget = (): void => {
      sid = "";
      aid = poison = -1;
      forward._stop(Why.Cancelled);
      back._stop(Why.Cancelled);
      forward._wake();
    };
    const lose = (): void => {
      const isHopeless = hasAnswered ? FULL && lostInRow >= maxReconnects : lostInRow >= Figures.MaxLostAtFirst;
      if (!sid || isHopeless || (FULL && options.newSessions === false)) {
        sid = "";
        fail("session-lost");
        return;
      }
      if (FULL) dialect._lost?.(sid, aid);
      forget();
      if (++lostInRow >= Figures.MaxInRow) dialect._restart?.(false);
      forward._pause(lostInRow - 1);
    };
    const onStatus = (hasMaps: boolean): void => {
      const says = (text: RegExp): boolean => text.test(`${reason} ${reply}`.replace(/\+/g, " "));
      if (status === 401) {
        const isExpired = says(/token timed out|expired/i);
        const isInvalid = says(/invalid token/i);
        const mayAsk = FULL && (isExpired || (isInvalid && hasTokenWorked)) && !refusedInRow++;
        if (mayAsk && dialect._restart?.(true)) {
          hasTokenWorked = false;
          forget();
        } else fail(isExpired ? "token-expired" : isInvalid ? "token-invalid" : "http");
      } else if (status === 410 || (sid && status === 400) || says(/unknown sid/i)) {
        lose();
      } else if (status === 408 || status === 429 || status > 499) {
        if (!again() && FULL) fail("http");
      } else if ((FULL && hasMaps && status > 399 && status !== 404) || !outlast(hasWorked)) {
        if (FULL) {
          const refused = hasMaps && dialect._refused?.(status);
          if (refused) {
            tell("onerror", Object.assign(refused, { status, reason, body: reply, fatal: false }));
            return;
          }
        }
        fail("http");
      }
    };

    /* One request: whether it has gone well so far. All else is seen to. */

    const ask = async (url: string, form?: Record<string, string>): Promise<boolean> => {
      const decode = utf8();
      const body = form && new URLSearchParams(form);
      const patience = isBack
        ? (FULL && options.timeout) || keepalive * 1.5 || Figures.Minute
        : FULL
          ? (options.requestTimeout ?? Figures.RequestSilence) + `${body ?? ""}`.length / Figures.BytesPerMs
          : Figures.RequestSilence;
      let progress = 0;
      let firstByte = 0;
      let failure: unknown;
      const beat = (ms = patience, verdict = Why.Silent): void => {
        clearTimeout(timer);
        timer = setTimeout(stop, ms, verdict);
      };
      const take = (text: string): void => {
        if (isStreaming && isBack) framer._feed(text, takePayload);
        else reply += text;
      };
      controller = new AbortController();
      why = Why.Not as Why;
      status = retryAfter = 0;
      reason = reply = "";
      if (FULL) isDoomed = false;
      framer = new Framer();
      started = now();
      beat();
      if (isBack && !buffering._isKnown() && (!FULL || (patience > Figures.Unanswered && maxReconnects)))
        beat(Figures.Unanswered, Why.Held);
      try {
        await transport(
          url,
          body,
          (given, words, after) => {
            beat();
            status = given;
            reason = words;
            retryAfter = +(after ?? 0) * Figures.Second || 0;
            if (FULL) {
              retryAfter ||= Date.parse(after ?? "") - Date.now() || 0;
              retryAfter = Math.min(Math.max(retryAfter, 0), Figures.Hour);
            }
            if (isBack && status === 200) {
              hasAnswered = isStreaming = true;
              if (FULL) {
                hasTokenWorked = true;
                refusedInRow = 0;
              }
              if (FULL) setState("open");
            }
          },
          (bytes) => {
            if (why || isClosed) return false;
            firstByte ||= now();
            if (FULL) progress += bytes.length;
            if (!FULL || isBack || progress >= Figures.Progress) {
              progress = 0;
              if (FULL) isDoomed = false;
              beat();
            }
            try {
              decode(bytes, take);
            } catch (error) {
              // Of an error's page, whatever it is written in, some words are all that is wanted.
              if (status === 200) {
                why ||= Why.Corrupt;
                failure = error;
              }
            }
            if (why || isClosed || reply.length > (FULL && status !== 200 ? Figures.MaxErrorBody : Figures.MaxReply))
              return false;
            const room = FULL && handlers.room?.();
            if (!room) return true;
            clearTimeout(timer);
            isDoomed = true; // not by what it is not asked for
            return room.then(() => {
              isDoomed = false;
              beat();
              return !why;
            });
          },
          makeInit({ signal: controller.signal }),
        );
      } catch (error) {
        failure = error;
      }
      clearTimeout(timer);
      controller.abort();
      if (isBack) isStreaming = false;
      const text = FULL && !!failure && (failure as Error).message;
      if (isClosed || why === Why.Cancelled) return false;
      if (isBack) {
        const isSilent = why === Why.Silent || why === Why.Owing || why === Why.Held;
        if (arrays) buffering._onEnd(firstByte - started, now() - firstByte, !failure && !why);
        else if (isSilent && !firstByte && buffering._onSilence() && !status) return false;
      }
      if (why === Why.Silent) {
        // A back channel that has brought something before it fell silent says nothing against the server.
        if (!isBack || !arrays || (FULL && !maxReconnects))
          broken("timeout", FULL && `the server fell silent for ${patience / 1000} seconds`, Figures.MaxSilenceWait);
      } else if (why === Why.Corrupt) corrupt(text);
      else if (why) return false;
      else if (failure) broken("transport", text, NEVER, FULL && failure);
      else if (status !== 200) onStatus(FULL && !!form && !!sid);
      else return true;
      return false;
    };
    const takePayload = (payload: string): void => {
      if (!payload.trim()) return;
      for (const array of parse(payload)) {
        if (why || isClosed) return;
        takeArray(array, false);
      }
    };

    /* One after another: `next` makes one, or says that there is none to be made. */

    const run = async (next: () => Promise<unknown> | undefined): Promise<void> => {
      const rest = (ms?: number): Promise<void> =>
        new Promise((resolve) => {
          if (ms) {
            hurry = resolve;
            timer = setTimeout(resolve, ms);
          } else wake = resolve;
        });
      if (FULL) await undefined; // what is sent in this turn may go in the opening
      while (!isClosed) {
        if (pause) {
          if (FULL && !isStreaming) setState("waiting");
          await rest(pause);
          clearTimeout(timer);
          pause = 0;
        }
        if (!isSuspended && !isClosed) await (next() ?? rest());
        else await rest();
      }
    };
    return {
      _run: run,
      _ask: ask,
      _outlast: outlast,
      _fail: fail,
      _broken: broken,
      _corrupt: corrupt,
      _wentWell: wentWell,
      _stop: stop,
      _reply: () => reply,
      _trial: () => failures + 1,
      _age: () => now() - started,
      _atBoundary: () => framer._atBoundary(),
      _wake: () => wake(),
      _hurry() {
        if (!isFirm) hurry();
        wake();
      },
      _pause(inRow: number) {
        isFirm = false;
        pause = backoff(inRow);
      },
      // Ends it after so many ms, unless something comes.
      ...(FULL && {
        _doom(ms: number, verdict: Why) {
          if (isDoomed || why || !controller || controller.signal.aborted) return;
          isDoomed = true;
          clearTimeout(timer);
          timer = setTimeout(stop, ms, verdict);
        },
      }),
    };
  };
  const forward = makeLane(false);
  const back = makeLane(true);

  /* ---- The forward channel ---- */

  const foreignReply = (may: unknown): void => {
    if (!forward._outlast(may)) forward._fail("protocol", FULL && "this is not what the server answers");
  };
  const readPage = async (page: string | Promise<string>): Promise<void> => {
    let path = page as string;
    if (FULL)
      try {
        path = await page;
      } catch (error) {
        void end(error as ChannelError);
        return;
      }
    if (!(await forward._ask(options.url + path))) return;
    if (dialect._readPage?.(forward._reply())) forward._wentWell();
    else foreignReply(hasWorked);
  };
  const open = (said: unknown[]): void => {
    try {
      for (const array of said) takeArray(array, true);
    } catch (error) {
      sid = "";
      forward._corrupt(FULL && (error as Error).message);
      return;
    }
    if (isClosed) return;
    if (!sid) {
      foreignReply(hasWorked);
      return;
    }
    rid++;
    isBehindOpening = true;
    forward._wentWell();
    dialect._sent(true);
    if (!FULL || !dialect._readPage) tellOpened();
    if (FULL) tell("onconfirmed");
    back._wake();
  };
  const confirm = (said: unknown[]): void => {
    const [present, lastId, outstanding] = said as number[];
    const sum = (present as number) + (lastId as number) + (outstanding as number);
    if (!(FULL ? Number.isSafeInteger(sum) : sum >= 0)) {
      // Somebody has opened the session.
      foreignReply(true);
      return;
    }
    rid++;
    forward._wentWell();
    dialect._sent(false);
    if (FULL) {
      const ms = dialect._judge?.(said as number[], aid, back._age());
      if (ms !== undefined) back._doom?.(ms, present ? Why.Owing : Why.Dead);
    }
    tellOpened();
    if (FULL) tell("onconfirmed");
  };
  const post = async (): Promise<void> => {
    const isOpening = !sid;
    if (isOpening) aid = -1;
    const form = dialect._form(isOpening);
    if (!(await forward._ask(makeUrl({ RID: rid, CVER: 1, t: forward._trial() }), form))) return;
    let said: unknown[] = [];
    try {
      said = whole(forward._reply()).flatMap((payload) => (payload.trim() ? [...parse(payload)] : []));
    } catch (error) {
      if (isOpening) {
        forward._corrupt(FULL && (error as Error).message);
        return;
      }
    }
    (isOpening ? open : confirm)(said);
  };
  const goForward = (): Promise<void> | undefined => {
    const page = sid ? undefined : dialect._page(options.url);
    if (page) return readPage(page);
    return !sid || dialect._due() ? post() : undefined;
  };

  /* ---- The back channel ---- */

  let fruitless = 0;
  const poll = async (): Promise<void> => {
    arrays = 0;
    const query = { RID: "rpc", CI: +buffering._batches(), TYPE: "xmlhttp", t: back._trial() };
    if (!(await back._ask(makeUrl(query)))) return;
    if (!back._atBoundary()) {
      back._broken("transport", FULL && "the body ended inside a chunk");
      return;
    }
    back._wentWell();
    // A server that ends every back channel at once must not make us run in circles.
    fruitless = arrays || back._age() > Figures.Second ? 0 : fruitless + 1;
    if (fruitless > Figures.MaxInRow) back._pause(fruitless - Figures.MaxInRow);
  };

  return {
    _start() {
      if (FULL && (isClosed || isStarted)) return;
      if (FULL) isStarted = true;
      if (FULL) setState("connecting");
      // A dialect that throws where it should not must not leave a channel that nobody drives.
      const crash = (error: Error): void => void end(new ChannelError("protocol", FULL && error.message));
      forward._run(goForward).catch(crash);
      back._run(() => (sid ? poll() : undefined)).catch(crash);
    },
    _wake: () => forward._wake(),
    _close: () => end(),
    _terminate: terminate,
    _goOn(reopens) {
      isSuspended = false;
      if (reopens) back._stop(Why.Dead);
      forward._hurry();
      back._hurry();
    },
    _suspend() {
      isSuspended = true;
      forward._stop(Why.Cancelled);
      back._stop(Why.Cancelled);
    },
    ...(FULL && { _life: life?.signal, _about: () => ({ state, sid, aid }) }),
  };
}
