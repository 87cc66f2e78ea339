// A server in the place of fetch: it answers each request as its test says, as soon
// as it is to.
import assert from "node:assert/strict";

/** A body that its test writes. */
export class Body {
  constructor() {
    this.stream = new ReadableStream({
      start: (controller) => {
        this.controller = controller;
      },
    });
  }

  /** Writes text, or bytes as they are. */
  write(piece) {
    this.controller.enqueue(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
  }

  /** Writes a chunk of arrays. */
  chunk(...arrays) {
    const payload = `${JSON.stringify(arrays)}\n`;
    this.write(`${payload.length}\n${payload}`);
  }

  end() {
    this.controller.close();
  }

  cut() {
    this.controller.error(new TypeError("cut"));
  }
}

/** A request that waits for its answer. */
class Call {
  constructor(url, { method = "GET", body, signal }) {
    const [path, query] = url.split("?");
    Object.assign(this, { url, path, method, signal });
    this.query = Object.fromEntries(new URLSearchParams(query));
    this.form = body && Object.fromEntries(body);
    this.response = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    signal?.addEventListener("abort", () => {
      this.aborted = true;
      this.reject(signal.reason);
      try {
        this.body?.controller.error(signal.reason);
      } catch {}
    });
  }

  /** What it is for. */
  get kind() {
    if (this.path.endsWith("/d")) return "page";
    if (this.query.TYPE === "terminate") return "terminate";
    if (this.query.RID === "rpc") return "back";
    return this.query.SID ? "maps" : "open";
  }

  /** Answers with a status, and all of a body. */
  answer(status, body = "", headers = {}, statusText = "") {
    this.resolve(new Response(body, { status, headers, statusText }));
  }

  /** Answers with 200 and a body to be written. */
  stream() {
    this.body = new Body();
    this.resolve(new Response(this.body.stream));
    return this.body;
  }

  /** Cannot be sent. */
  fail() {
    this.reject(new TypeError("fetch failed"));
  }
}

export const PAGE = `<script>var a = new chat.WcsDataClient("http://x/",
  "", "CL\\x49D", 'g"sid', "1", "WCX", "token")</script>`;
export const OPENED = '[[0,["c","SID",,8]]]';
export const CONFIRMED = "8\n[1,0,0]\n";

export class Server {
  constructor() {
    /** Those that nobody has taken yet. */
    this.calls = [];
    this.fetch = (url, init) => {
      const call = new Call(url, init);
      this.calls.push(call);
      return call.response;
    };
  }

  /** The next request of that kind; the two channels' may come in any order. */
  async next(kind) {
    for (let i = 0; i < 200; i++) {
      const at = this.calls.findIndex((call) => call.kind === kind);
      if (at >= 0) return this.calls.splice(at, 1)[0];
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.fail(`no request for ${kind}, but ${this.calls.map((call) => call.kind)}`);
  }

  /** Lets a talk channel come as far as its back channel; returns that. */
  async talk(open = OPENED) {
    (await this.next("page")).answer(200, PAGE);
    (await this.next("open")).answer(200, open);
    (await this.next("maps")).answer(200, CONFIRMED);
    return this.next("back");
  }
}

/** Lets all that has been set off happen. */
export async function settle() {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}
