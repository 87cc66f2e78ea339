// The dialect of Closure's goog.net.BrowserChannel, and its maps on their way to the server.
import type { Dialect } from "./dialect.ts";
import { ChannelError, type Fields } from "./errors.ts";

// Express's form parser reads 1,000 fields, and drops the rest without a word.
const MAX_FIELDS = 900;
const MAX_BODY = 1 << 17;
// Closure's own figures: how long arrays may be on their way that the server says it has sent, in ms, and from how many
// outstanding bytes on the network is merely busy. How long a back channel may be on its way to a server without one.
const OWING = 6000;
const BUSY = 37_500;
const LOST = 3000;

/** A dialect to which maps can be given. */
export interface Sender extends Dialect {
  /** @throws ChannelError `"queue-full"`. */
  _send(fields: Fields): void;
}

/**
 * The browserchannel dialect.
 *
 * @param maxUnsent bytes of maps, about, that may wait.
 */
export function browserChannel(maxUnsent: number): Sender {
  let gsessionid = "";
  let replaces: Record<string, string> = {};
  const maps: { fields: Fields; size: number }[] = [];
  let bytes = 0;
  // How many maps of this session are confirmed; are in the present form; only fill the place of refused ones.
  let gone = 0;
  let sent = 0;
  let fillers = 0;
  let isUnfillable = false;

  const confirm = (count: number): Fields[] => {
    const done = maps.splice(0, count);
    gone += count;
    fillers = Math.max(0, fillers - count);
    for (const { size } of done) bytes -= size;
    return done.map(({ fields }) => fields);
  };
  return {
    _path: "/bind",
    _rid: 10_000 + Math.floor(Math.random() * 90_000),
    _page: () => undefined,
    _query: (isOpening) => ({ ...(isOpening && replaces), ...(gsessionid && { gsessionid }) }),
    _lost(sid, aid) {
      replaces = { OSID: sid, OAID: `${aid}` };
      gsessionid = "";
    },
    _read(data, isFirst) {
      // YouTube's and Hangouts' ways to name the gsessionid.
      const [name, value] = Array.isArray(data) ? data : [];
      const found = name === "S" ? value : name?.gsid;
      if (!isFirst || typeof found !== "string") return data;
      gsessionid = found;
      return undefined;
    },

    _send(fields) {
      const size = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 10, 0);
      if (bytes + size > maxUnsent) throw new ChannelError("queue-full", "too much waits to be sent", { fatal: false });
      bytes += size;
      maps.push({ fields, size });
    },
    _due: () => maps.length - fillers,
    _form(isOpening) {
      if (isOpening) {
        // A session's maps count from 0.
        confirm(fillers);
        gone = 0;
        isUnfillable = false;
      }
      const form: Record<string, string> = {};
      let fields = 0;
      let size = 0;
      sent = 0;
      // Fillers go alone: where they are refused, no map is to be blamed.
      for (const map of maps.slice(0, fillers || MAX_FIELDS)) {
        fields += map.fields.length;
        size += map.size;
        if (sent && (fields > MAX_FIELDS || size > MAX_BODY)) break;
        for (const [name, value] of map.fields) form[`req${sent}_${name}`] = value;
        sent++;
      }
      return { count: `${sent}`, ...(sent && { ofs: `${gone}` }), ...form };
    },
    _sent: () => void confirm(sent),
    _judge([present, lastId, outstanding], aid, age) {
      // The server has lost it; or it is merely on its way, and about to be answered.
      if (!present) return Math.max(0, LOST - age);
      return (lastId as number) > aid && (outstanding as number) < BUSY ? OWING : undefined;
    },
    // Maps that are refused are not sent again: they would be refused again, and all behind them. What Closure's
    // clients send for a map that cannot be written takes their place: servers wait for an id that was left out.
    _refused() {
      if (sent <= fillers) {
        // A server that refuses fillers, too, is not one that waits for ids.
        confirm(fillers);
        isUnfillable = true;
        return new ChannelError("maps-refused", "the server takes nothing for maps that it refused");
      }
      const refused = confirm(sent);
      if (!isUnfillable) {
        gone -= sent;
        fillers = sent;
        maps.unshift(...refused.map(() => ({ fields: [["type", "_badmap"]] as Fields, size: 0 })));
      }
      return new ChannelError("maps-refused", "the server has refused maps", { maps: refused });
    },
  };
}
