// The Channel API for pages, as App Engine served it at /_ah/channel/jsapi: goog.appengine.Channel and its Socket.
// What pages of 2011 to 2016 saw of it beyond the manual is kept, too: events come when the script that opened the
// socket has ended, handlers may be set until then, `this` in them is the socket, and `readyState` is a WebSocket's.

import { Connection } from "./connection.ts";
import type { ChannelError } from "./errors.ts";
import { talk } from "./talk.ts";

interface Failure {
  code: number;
  description: string;
}

// A page's own object: any of these may be missing, or no function.
interface Handlers {
  onopen?: ((event: object) => void) | undefined;
  onmessage?: ((message: { data: string }) => void) | undefined;
  onerror?: ((error: Failure) => void) | undefined;
  onclose?: ((event: object) => void) | undefined;
}

// The manual's words for what is wrong with a token; pages compare with them.
const WORDS: Record<string, string> = {
  "token-expired": "Token+timed+out.",
  "token-invalid": "Invalid+token.",
};

const INVALID: Failure = { code: 401, description: "Invalid+token." };

// The server stands where the script has come from, whatever the page's own address is.
const script = document.currentScript as HTMLScriptElement | null;
const base = new URL(script?.dataset.url ?? "../../talkgadget", script?.src || location.href).href;

class Socket implements Handlers {
  readyState = 0;
  onopen: Handlers["onopen"];
  onmessage: Handlers["onmessage"];
  onerror: Handlers["onerror"];
  onclose: Handlers["onclose"];
  #connection?: Connection;
  #ended = false;

  static readonly ReadyState = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };

  constructor(token: unknown, handlers: Handlers) {
    this.onopen = handlers.onopen;
    this.onmessage = handlers.onmessage;
    this.onerror = handlers.onerror;
    this.onclose = handlers.onclose;
    if (!(typeof token === "string" || token instanceof String)) {
      // Two turns, so that a handler that throws does not keep the other from being called.
      setTimeout(() => this.readyState < 3 && this.onerror?.(INVALID));
      setTimeout(() => this.#end());
      return;
    }
    this.#connection = new Connection(
      talk(`${token}`),
      { url: base },
      {
        onopen: () => {
          this.readyState = 1;
          this.onopen?.({});
        },
        onmessage: (data) => this.onmessage?.({ data: data as string }),
        onerror: (error: ChannelError) => {
          const description = WORDS[error.code];
          this.onerror?.(description ? { code: 401, description } : { code: error.status, description: error.reason });
        },
        onclose: () => this.#end(),
      },
    );
    this.#connection.start();
  }

  // It never could; scripts of the time found it there.
  send(): boolean {
    return false;
  }

  close(): void {
    this.readyState = 3;
    if (this.#connection) this.#connection.close();
    else setTimeout(() => this.#end());
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.readyState = 3;
    this.onclose?.({});
  }
}

class Channel {
  #token: unknown;

  constructor(token: unknown) {
    this.#token = token;
  }

  open(handlers?: Handlers): Socket {
    return new Socket(this.#token, handlers ?? {});
  }
}

// Closure's own `goog` may be there already, or come later: both add to one object.
const page = globalThis as { goog?: { appengine?: object } };
page.goog ??= {};
page.goog.appengine = { ...page.goog.appengine, Channel, Socket };
