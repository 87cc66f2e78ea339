// The payloads' literals: JSON, and what talk servers wrote for `eval`: holes, single quotes, `\x41`.
import { FULL } from "./full.ts";

/** A string literal, as a regular expression (flag `s`). */
export const STRING = FULL ? `"[^"\\\\]*(?:\\\\.[^"\\\\]*)*"|'[^'\\\\]*(?:\\\\.[^'\\\\]*)*'` : `"[^"]*"`;

const ESCAPE = /\\(?:u([\da-f]{4})|x([\da-f]{2})|(\r\n|.))/gis;
const SHORT: Record<string, string> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  0: "\0",
  "\r\n": "",
  "\n": "",
};

/** The text of a string literal. */
export function unquote(literal: string): string {
  if (!FULL) return JSON.parse(literal);
  return literal
    .slice(1, -1)
    .replace(ESCAPE, (_, u, x, one) => (one ? (SHORT[one] ?? one) : String.fromCharCode(Number.parseInt(u ?? x, 16))));
}

function toJson(text: string): string {
  // A string; a bracket or comma before a hole; a comma that ends a list; a word that JSON has not.
  const foreign = new RegExp(`(${STRING})|([[,])(?=\\s*,)|,(?=\\s*])|undefined`, "gs");
  return text.replace(foreign, (mark, string, before) =>
    string ? JSON.stringify(unquote(string)) : before ? `${before}null` : mark === "," ? "" : "null",
  );
}

/**
 * The elements of a payload, which is one list of lists; each as soon as it is read, where it is not JSON.
 *
 * @throws Error at the first that is none.
 */
export function* parse(payload: string): Generator<unknown> {
  let list: unknown;
  try {
    list = JSON.parse(payload);
  } catch {
    if (FULL) {
      yield* oneByOne(payload);
      return;
    }
    list = JSON.parse(payload.replace(/,(?=,)/g, ",null")); // this project's server has holes, and nothing else
  }
  if (!Array.isArray(list)) throw FULL ? Error("not a list of lists") : 0;
  yield* list;
}

function* oneByOne(payload: string): Generator<unknown> {
  const marks = new RegExp(`${STRING}|[[\\]{}]`, "gs");
  // What stands between the elements.
  let between = "";
  let begin = 0;
  let depth = 0;
  for (const { 0: mark, index } of payload.matchAll(marks)) {
    if (/^[[{]/.test(mark) && depth++ === 1) {
      between += payload.slice(begin, index);
      begin = index;
    }
    if (/^[\]}]/.test(mark) && --depth === 1) {
      yield JSON.parse(toJson(payload.slice(begin, index + 1)));
      begin = index + 1;
    }
  }
  if (!/^\s*\[[\s,]*]\s*$/.test(between + payload.slice(begin))) throw Error("not a list of lists");
}
