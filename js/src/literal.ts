// The payloads' literals: JSON, and what talk servers wrote for `eval`: holes, single quotes, `\x41`.
import { corrupt } from "./errors.ts";

const MAX_NESTING = 128;
// Blanks; then punctuation, a string, or a word.
const TOKEN = /[ \t\r\n]*(?:([[\]{}(),:])|("[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')|([\w.+-]+))/sy;
const ESCAPE = /\\(?:u([\da-f]{4})|x([\da-f]{2})|(\r\n|.))/gis;
const SHORT: Record<string, string> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", 0: "\0" };

/**
 * The elements of a list, each as soon as it is read. Returns where the list has ended.
 *
 * @param at where its first element begins: behind the bracket.
 * @param close the bracket that ends it.
 * @throws ChannelError `"corrupt"` at the first element that is none.
 */
export function* elements(text: string, at: number, close: string): Generator<unknown, number> {
  let quoted: string | undefined;
  let word: string | undefined;
  // The next token's mark, if it is one.
  const next = (): string => {
    let mark: string | undefined;
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (!found) throw wrong();
    at = TOKEN.lastIndex;
    [, mark = "", quoted, word] = found;
    return mark;
  };
  const expect = (mark: string, wanted: string): void => {
    if (mark !== wanted) throw wrong();
  };
  const value = (mark: string, depth: number): unknown => {
    if (depth > MAX_NESTING) throw corrupt("nested too deeply");
    if (mark === "[") return [...list("]", depth + 1)];
    if (mark === "{") return Object.fromEntries(members(depth + 1));
    if (quoted) return unescaped(quoted.slice(1, -1));
    if (!word) throw wrong();
    return word === "undefined" ? null : parseJson(word);
  };
  function* list(end: string, depth: number): Generator<unknown, void> {
    for (let mark = next(); mark !== end; mark = next()) {
      if (mark === ",") {
        yield null;
        continue;
      }
      yield value(mark, depth);
      mark = next();
      if (mark === end) return;
      expect(mark, ",");
    }
  }
  function* members(depth: number): Generator<[string, unknown]> {
    let mark = next();
    while (mark !== "}") {
      const key = value(mark, depth);
      if (typeof key !== "string") throw wrong();
      expect(next(), ":");
      yield [key, value(next(), depth)];
      mark = next();
      if (mark === "}") return;
      expect(mark, ",");
      mark = next();
      if (mark) throw wrong();
    }
  }
  yield* list(close, 1);
  return at;
}

/**
 * The elements of a payload, which is one list; each as soon as it is read, where it is not JSON.
 *
 * @throws ChannelError `"corrupt"` at the first element that is none.
 */
export function* parse(payload: string): Generator<unknown> {
  let list: unknown;
  try {
    list = JSON.parse(payload);
  } catch {
    const begin = /^\s*\[/.exec(payload);
    if (!begin) throw wrong();
    const end = yield* elements(payload, begin[0].length, "]");
    if (payload.slice(end).trim()) throw wrong();
    return;
  }
  if (!Array.isArray(list)) throw wrong();
  yield* list;
}

function parseJson(word: string): unknown {
  try {
    return JSON.parse(word);
  } catch {
    throw wrong();
  }
}

function wrong(): Error {
  return corrupt("not a literal");
}

function unescaped(text: string): string {
  return text.replace(ESCAPE, (_, u: string, x: string, one: string) =>
    one === undefined
      ? String.fromCharCode(Number.parseInt(u ?? x, 16))
      : /[\r\n]/.test(one)
        ? ""
        : (SHORT[one] ?? one),
  );
}
