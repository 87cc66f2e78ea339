// The dialect of Closure's goog.net.BrowserChannel.
import type { Dialect } from "./dialect.ts";

/** The browserchannel dialect. */
export function browserChannel(): Dialect {
  return {
    bindPath: "/bind",
    opensWithMaps: true,
    query(session, kind) {
      const { gsessionid, replaces } = session;
      return [
        ...(kind === "open" && replaces ? replaces : []),
        ...(gsessionid ? [["gsessionid", gsessionid] as [string, string]] : []),
      ];
    },
    // YouTube's and Hangouts' ways to name the gsessionid.
    control(session, data, first) {
      const [name, value] = data as [{ gsid?: unknown } | string | null, unknown];
      const found = name === "S" ? value : (name as { gsid?: unknown } | null)?.gsid;
      if (!first || typeof found !== "string") return false;
      session.gsessionid = found;
      return true;
    },
  };
}
