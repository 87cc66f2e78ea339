// A body is a run of chunks, each LENGTH LF PAYLOAD, cut by the network wherever it likes. LENGTH counts UTF-16
// units, which is what a JavaScript string's `length` counts: so bytes become text first.
import { FULL } from "./full.ts";

/** The longest payload that is believed, in UTF-16 units. */
export const MAX_CHUNK = 1 << 24;

// Blanks, a length, blanks: the whole line, or as much of it as has come.
const LENGTH = /^[ \t\r]*(\d*)[ \t\r]*$/;

/** Cuts a body's text into payloads. */
export class Framer {
  // What has come and is not yet taken: from the next length on, or from the payload of `_need` units.
  private _rest = "";
  private _need = -1;

  private _max: number | undefined;

  /** @param max the longest payload that is believed, in UTF-16 units. */
  constructor(max?: number) {
    if (FULL) this._max = max;
  }

  /**
   * Hands each payload that is now complete to `take`, in order.
   *
   * @throws Error once those before the corruption are taken; what `take` throws.
   */
  _feed(text: string, take: (payload: string) => void): void {
    // Appending makes no copy until it is looked at, so a large payload that comes in pieces is copied once.
    const rest = this._rest + text;
    let at = 0;
    for (;;) {
      const begin = at;
      if (this._need < 0) {
        const end = rest.indexOf("\n", at);
        const line = LENGTH.exec(rest.slice(at, end < 0 ? rest.length : end));
        if (!line) throw FULL ? Error("a chunk's length is no number") : 0;
        const [, digits = ""] = line;
        const length = +digits;
        if (length > ((FULL && this._max) || MAX_CHUNK)) {
          this._need = 0;
          throw FULL ? Error("a chunk is too large") : 0;
        }
        if (end >= 0) {
          at = end + 1;
          if (digits) this._need = length;
        }
      } else if (rest.length >= at + this._need) {
        at += this._need;
        // Text has whole pairs: a payload whose last unit is a pair's first ends inside it.
        if (at > begin && rest.charCodeAt(at - 1) >> 10 === 54)
          throw FULL ? Error("a chunk ends inside a character") : 0;
        take(rest.slice(begin, at));
        this._need = -1;
        continue;
      }
      if (at === begin) break;
    }
    this._rest = at ? rest.slice(at) : rest;
  }

  /** Whether a payload has begun and was not yet taken: after an error, whether that is what is wrong. */
  _inChunk(): boolean {
    return this._need >= 0;
  }

  /** Whether a body may end here. */
  _atBoundary(): boolean {
    return this._need < 0 && !this._rest.trim();
  }
}

/**
 * The payloads of a reply that is whole: a run of chunks, or, as some servers send it, one without its length.
 *
 * @throws Error it is neither.
 */
export function whole(reply: string): string[] {
  const found: string[] = [];
  const framer = new Framer();
  const text = FULL ? reply.trim() : "";
  framer._feed(text[0] === "[" ? `${text.length}\n${text}` : reply, (payload) => found.push(payload));
  if (!framer._atBoundary()) throw FULL ? Error("the reply ends inside a chunk") : 0;
  return found;
}

/**
 * Bytes to text, cut anywhere; a byte order mark at the beginning is left out. Returns a function that hands the text
 * of the bytes that it is given to `take`; it throws once what stands before bytes that are not UTF-8 is taken.
 */
export function utf8(): (bytes: Uint8Array, take: (text: string) => void) => void {
  const make = (): TextDecoder => new TextDecoder("utf-8", { fatal: true });
  const options = { stream: true };
  let decoder = make();
  if (!FULL) return (bytes, take) => take(decoder.decode(bytes, options));
  // The last bytes that have come: a character's beginning may be among them.
  let last = new Uint8Array();
  return (bytes, take) => {
    let text = "";
    try {
      text = decoder.decode(bytes, options);
    } catch (error) {
      // What stands before the corruption, byte by byte, from where the first character begins.
      const lead = last.findLastIndex((byte) => byte >> 6 !== 2);
      decoder = make();
      try {
        decoder.decode(last.subarray(lead < 0 ? 3 : lead), options);
        for (const byte of bytes) text += decoder.decode(Uint8Array.of(byte), options);
      } catch {}
      take(text);
      throw error;
    }
    last = Uint8Array.of(...last, ...bytes.subarray(-3)).subarray(-3);
    take(text);
  };
}
