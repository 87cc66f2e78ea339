// A body is a run of chunks, each LENGTH LF PAYLOAD, cut by the network wherever it likes. LENGTH counts UTF-16
// units, which is what a JavaScript string's `length` counts: so bytes become text first.
import { corrupt } from "./errors.ts";

/** The longest payload that is believed, in UTF-16 units. */
export const MAX_CHUNK = 1 << 24;

// Blanks, a length, blanks: the whole line, or as much of it as has come.
const LENGTH = /^[ \t\r]*(\d*)[ \t\r]*$/;

/** Cuts a body's text into payloads. */
export class Framer {
  // What has come and is not yet taken: from the next length on, or from the payload of `_need` units.
  private _rest = "";
  private _need = -1;

  /** @param _max the longest payload that is believed, in UTF-16 units. */
  constructor(private readonly _max: number = MAX_CHUNK) {}

  /**
   * Hands each payload that is now complete to `take`, in order.
   *
   * @throws ChannelError `"corrupt"`, once those before the corruption are taken; what `take` throws.
   */
  feed(text: string, take: (payload: string) => void): void {
    // Appending makes no copy until it is looked at, so a large payload that comes in pieces is copied once.
    let rest = this._rest + text;
    let at = 0;
    try {
      for (;;) {
        if (this._need < 0) {
          const end = rest.indexOf("\n", at);
          const line = LENGTH.exec(end < 0 ? rest.slice(at, at + 64) : rest.slice(at, end));
          if (!line) throw corrupt("a chunk's length is no number");
          const length = Number(line[1]);
          if (length > this._max) {
            this._need = length;
            throw corrupt("a chunk is too large");
          }
          if (end < 0) break;
          at = end + 1;
          if (!line[1]) continue; // a blank line
          this._need = length;
        }
        const end = at + this._need;
        if (rest.length < end) break;
        if (isHigh(rest.charCodeAt(end - 1)) && this._need) throw corrupt("a chunk's length ends inside a character");
        const payload = rest.slice(at, end);
        at = end;
        take(payload);
        this._need = -1;
      }
    } finally {
      if (at) rest = rest.slice(at);
      this._rest = rest;
    }
  }

  /** Whether a body may end here. */
  get atBoundary(): boolean {
    return !this.inChunk && !this._rest.trim();
  }

  /** Whether a payload has begun and was not yet taken: after an error, whether that is what is wrong. */
  get inChunk(): boolean {
    return this._need >= 0;
  }
}

function isHigh(unit: number): boolean {
  return unit >> 10 === 0x36;
}

/** Bytes to text, cut anywhere; a byte order mark at the beginning is left out. */
export class Utf8 {
  // The second says whether it is UTF-8. The first puts U+FFFD where it is not; but a sender may have meant one.
  private readonly _loose = new TextDecoder();
  private readonly _strict = new TextDecoder("utf-8", { fatal: true });

  /**
   * Hands the text of these bytes to `take`.
   *
   * @throws ChannelError `"corrupt"`, once what stands before the corruption is taken; what `take` throws.
   */
  feed(bytes: Uint8Array, take: (text: string) => void): void {
    const options = { stream: true };
    const text = this._loose.decode(bytes, options);
    const parts = text.includes("\ufffd") ? Array.from(bytes, (byte) => Uint8Array.of(byte)) : [bytes];
    let sound = "";
    try {
      for (const part of parts) sound += this._strict.decode(part, options);
    } catch {
      take(sound);
      throw corrupt("the body is not UTF-8");
    }
    take(sound);
  }
}
