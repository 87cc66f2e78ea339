// Whether a proxy on the way holds the back channel's response back until it ends.
//
// Then nothing comes, or the head alone, or all comes at its end; nginx, as it is set up when new, does so. Asked
// with CI=1, the server ends each response after a batch. A network's outage looks the same: so a channel whose
// responses went on before, and to which a batch then comes, asks for a response that goes on once more before it
// believes.

// What comes so shortly before the response's end has come at its end; and only one that was silent for so long
// says anything.
const AT_THE_END_MS = 1000;
// Back channels in a row, each with all of its arrays at its end, that are no chance.
const MAX_LATE = 2;
// As many empty ones are needed at most after batches that brought nothing either: the server is idle.
const MAX_NEEDED = 16;

/** What is known of the response when it ends, or falls silent; times in ms. */
export interface Course {
  started: number;
  /** When the first byte of its body came; 0: none did. */
  firstByte: number;
  /** Arrays that came with it. */
  arrays: number;
}

export class Buffering {
  /** Whether batches are asked for. */
  batches = false;
  /** Whether they ever were. */
  tried = false;
  /** Whether a response that goes on has brought something before it ended. */
  streamed = false;
  private _delivered = false;
  private _doubted = false;
  private _late = 0;
  private _empty = 0;
  private _needed = 1;

  /** The back channel fell silent, or was given up before it was answered. Whether batches are asked for now. */
  onSilence({ firstByte }: Course): boolean {
    if (firstByte) return false;
    const least = this.streamed ? 2 : 1;
    if (!this.batches) {
      if (++this._empty >= (this._doubted ? 1 : Math.max(least, this._needed))) this._ask(true);
    } else if (!this._delivered) {
      this._giveUp();
    }
    return this.batches;
  }

  /** Its response has brought arrays, and has now ended in one way or another. */
  onArrays({ firstByte }: Course, now: number): void {
    this._empty = 0;
    if (this.batches || now - firstByte < AT_THE_END_MS) return;
    this.streamed = true;
    this._doubted = this._delivered = false;
  }

  /** Its response has ended in order, and has brought arrays. */
  onEnd({ started, firstByte }: Course, now: number): void {
    const waited = firstByte - started >= AT_THE_END_MS;
    if (!this.batches) {
      this._late = waited && now - firstByte < AT_THE_END_MS ? this._late + 1 : 0;
      if (this._late >= (this._doubted ? 1 : MAX_LATE)) this._ask(true);
    } else if (!this.streamed || this._delivered || (this._doubted && !waited)) {
      this._delivered = true;
    } else if (waited) {
      this._giveUp();
    } else {
      this._doubted = true;
      this._ask(false);
    }
  }

  private _ask(batches: boolean): void {
    this.batches = batches;
    this.tried ||= batches;
    this._late = this._empty = 0;
  }

  private _giveUp(): void {
    this._needed = Math.min(MAX_NEEDED, Math.max(this.streamed ? 2 : 1, this._needed) * 2);
    this._doubted = false;
    this._ask(false);
  }
}
