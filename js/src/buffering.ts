// Whether a proxy on the way holds the back channel's response back until it ends.
//
// Then nothing comes, or the head alone, or all comes at its end; nginx, as it is set up when new, does so. Asked
// with CI=1, the server ends each response after a batch. A network's outage looks the same: so a channel whose
// responses went on before, and to which a batch then comes, asks for a response that goes on once more before it
// believes.

enum Figures {
  // What comes so shortly, in ms, before the response's end has come at its end; and only one that was silent for so
  // long says anything.
  AtTheEnd = 1000,
  // Back channels in a row, each with all of its arrays at its end, that are no chance.
  MaxLate = 2,
  // As many empty ones are needed at most after batches that brought nothing either: the server is idle.
  MaxNeeded = 16,
}

/** What is known of proxies on the way. */
export interface Buffering {
  /** Whether batches are asked for. */
  _batches(): boolean;
  /** Whether they ever were, or a response that goes on has brought something before it ended. */
  _isKnown(): boolean;
  /** The back channel fell silent without a byte of its body. Whether that was the proxy, as far as is known. */
  _onSilence(): boolean;
  /**
   * The back channel has brought arrays, and has ended.
   *
   * @param waited how long its first byte took, in ms.
   * @param went how long it then went on, in ms.
   * @param inOrder whether it has ended in order.
   */
  _onEnd(waited: number, went: number, inOrder: boolean): void;
}

export function makeBuffering(): Buffering {
  let batches = false;
  let known = false;
  let streamed = false;
  // A batch has brought arrays; one has come where responses had gone on before.
  let delivered = false;
  let doubted = false;
  let late = 0;
  let empty = 0;
  let needed = 1;
  const ask = (wanted: boolean): void => {
    batches = wanted;
    known ||= wanted;
    late = empty = 0;
  };
  const giveUp = (): void => {
    needed = Math.min(Figures.MaxNeeded, needed * 2);
    doubted = false;
    ask(false);
  };
  return {
    _batches: () => batches,
    _isKnown: () => known,
    _onSilence() {
      const isFirst = !known;
      if (batches) {
        if (!delivered) giveUp();
      } else if (++empty >= (doubted ? 1 : needed)) ask(true);
      return isFirst && batches;
    },
    _onEnd(waited, went, inOrder) {
      const hasWaited = waited >= Figures.AtTheEnd;
      empty = 0;
      if (!batches && went >= Figures.AtTheEnd) {
        streamed = known = true;
        needed = Math.max(2, needed);
        doubted = delivered = false;
        late = 0;
      } else if (inOrder) {
        if (!batches) {
          late = hasWaited ? late + 1 : 0;
          if (late >= (doubted ? 1 : Figures.MaxLate)) ask(true);
        } else if (!streamed || delivered || (doubted && !hasWaited)) {
          delivered = true;
        } else if (hasWaited) {
          giveUp();
        } else {
          doubted = true;
          ask(false);
        }
      }
    },
  };
}
