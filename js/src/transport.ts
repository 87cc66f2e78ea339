// Carries one request: by fetch, whose bodies come as they are sent; or by XMLHttpRequest where they do not.
import { FULL } from "./full.ts";

/**
 * Resolves when the response has ended, or no more of it was wanted.
 *
 * @param form to be posted; none: a GET.
 * @param onHead is told the status, the reason phrase, and the header `Retry-After`.
 * @param onBytes whether more is wanted; a promise holds the body back.
 */
export type Transport = (
  url: string,
  form: URLSearchParams | undefined,
  onHead: (status: number, reason: string, retryAfter: string | null) => void,
  onBytes: (bytes: Uint8Array) => boolean | Promise<boolean>,
  init: RequestInit,
) => Promise<void>;

/** A transport by a function like `fetch`. */
export function byFetch(given?: typeof fetch): Transport {
  return async (url, form, onHead, onBytes, init) => {
    const response = await ((FULL && given) || fetch)(url, { ...init, ...(form && { method: "POST", body: form }) });
    // Where another host has answered, it was not the server.
    const isAstray = FULL && response.redirected && new URL(response.url).origin !== new URL(url, response.url).origin;
    onHead(isAstray ? 302 : response.status, response.statusText, response.headers.get("Retry-After"));
    const reader = response.body?.getReader();
    while (reader) {
      const { done, value } = await reader.read();
      if (done || !(await onBytes(value))) return;
    }
  };
}

/** A transport by XMLHttpRequest; it cannot hold a body back. */
export const byXhr: Transport = (url, form, onHead, onBytes, { signal, headers, credentials }) =>
  new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    let isTold = false;
    let seen = 0;
    xhr.open(form ? "POST" : "GET", url);
    xhr.overrideMimeType("text/plain; charset=x-user-defined"); // a byte a unit
    if (FULL) {
      xhr.withCredentials = credentials === "include";
      for (const [name, value] of Object.entries(headers ?? {})) xhr.setRequestHeader(name, value);
    }
    xhr.onreadystatechange = xhr.onprogress = () => {
      if (!xhr.status) return;
      if (!isTold) onHead(xhr.status, xhr.statusText, xhr.getResponseHeader("Retry-After"));
      isTold = true;
      const text = xhr.responseText.slice(seen);
      seen += text.length;
      if (text && !onBytes(Uint8Array.from(text, (unit) => unit.charCodeAt(0)))) xhr.abort();
    };
    xhr.onloadend = () => (xhr.status ? resolve() : reject(FULL ? Error("the connection failed") : 1));
    if (signal) signal.onabort = () => xhr.abort();
    xhr.send(form);
  });
