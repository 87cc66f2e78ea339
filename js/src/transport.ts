// Carries one request: by fetch, whose bodies come as they are sent; or by XMLHttpRequest where they do not.
import { Utf8 } from "./framing.ts";

export interface Request {
  url: string;
  /** A form to be posted; none: a GET. */
  form?: string | undefined;
  headers?: Record<string, string> | undefined;
  credentials?: RequestCredentials | undefined;
  signal: AbortSignal;
  /** Whether the request outlives its page. */
  keepalive?: boolean;
}

export interface Receiver {
  /** `retryAfter`: the header's value. */
  onHead(status: number, reason: string, retryAfter: string | null): void;
  /** Whether more is wanted; a promise holds the body back. */
  onText(text: string): boolean | Promise<boolean>;
}

/** Resolves when the response has ended, or no more of it was wanted. */
export type Transport = (request: Request, receiver: Receiver) => Promise<void>;

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

/** A transport by a function like `fetch`. */
export function byFetch(given?: typeof fetch): Transport {
  return async ({ url, form, headers, credentials, signal, keepalive }, { onHead, onText }) => {
    const init: RequestInit = { headers: { ...headers, ...(form !== undefined && FORM) }, signal };
    if (form !== undefined) Object.assign(init, { method: "POST", body: form });
    if (credentials) init.credentials = credentials;
    if (keepalive) init.keepalive = true;
    const response = await (given ?? fetch)(url, init);
    // Where another host has answered, it was not the server.
    const strayed = response.redirected && new URL(response.url).origin !== new URL(url).origin;
    onHead(strayed ? 302 : response.status, response.statusText, response.headers.get("Retry-After"));
    const reader = response.body?.getReader();
    const utf8 = new Utf8();
    if (!reader) return;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        let more: boolean | Promise<boolean> = true;
        utf8.feed(value, (text) => {
          more = onText(text);
        });
        if (!(await more)) break;
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  };
}

/** A transport by XMLHttpRequest; it cannot hold a body back. */
export const byXhr: Transport = ({ url, form, headers, credentials, signal }, { onHead, onText }) =>
  new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    let seen = 0;
    const stop = (error?: unknown): void => {
      xhr.onreadystatechange = xhr.onprogress = null;
      xhr.abort();
      error ? reject(error) : resolve();
    };
    const look = (): void => {
      if (xhr.readyState < 2 || !xhr.status) return;
      if (!seen++) onHead(xhr.status, xhr.statusText, xhr.getResponseHeader("Retry-After"));
      const text = xhr.responseText.slice(seen - 1);
      seen += text.length;
      try {
        if (text && !onText(text)) stop();
      } catch (error) {
        stop(error);
      }
      // `seen` is one more than the units that were taken, so that the head is taken once.
      seen = xhr.responseText.length + 1;
    };
    xhr.open(form === undefined ? "GET" : "POST", url);
    xhr.withCredentials = credentials === "include";
    for (const [name, value] of Object.entries({ ...headers, ...(form !== undefined && FORM) }))
      xhr.setRequestHeader(name, value);
    xhr.onreadystatechange = xhr.onprogress = look;
    xhr.onload = () => {
      look();
      resolve();
    };
    xhr.onerror = () => reject(new TypeError("the connection failed"));
    signal.onabort = () => stop(new TypeError("aborted"));
    xhr.send(form ?? null);
  });
