// The dialect of the App Engine Channel API: a page names clid and gsessionid before the session opens.
import type { Dialect } from "./dialect.ts";
import { ChannelError } from "./errors.ts";
import { elements } from "./literal.ts";
import { randomLetters } from "./session.ts";

/** A token, or what makes one: it is asked again when the old one has expired. */
export type Token = string | (() => string | Promise<string>);

const CALL = "new chat.WcsDataClient(";

/**
 * The talk dialect for one token.
 *
 * @throws TypeError the token is neither a string nor a function.
 */
export function talk(given: Token): Dialect {
  const makes = typeof given === "function";
  if (!makes && typeof given !== "string") throw new TypeError("the token is no string");
  let token = makes ? "" : given;
  return {
    bindPath: "/dch/bind",
    firstRid: 1,
    initPage: {
      async url(_, base) {
        if (!token && makes)
          try {
            token = await given();
          } catch (error) {
            throw new ChannelError("token", `no token: ${error}`, error);
          }
        const blank = `${base}/xpc_blank`;
        const xpc = JSON.stringify({ cn: randomLetters(), tp: "null", ppu: blank, lpu: blank });
        return `/d?${new URLSearchParams({ token, xpc })}`;
      },
      read(session, page) {
        const at = page.indexOf(CALL);
        const found: unknown[] = [];
        try {
          if (at >= 0) for (const one of elements(page, at + CALL.length, ")")) if (found.push(one) > 3) break;
        } catch {}
        const [, , clid, gsessionid] = found;
        if (typeof gsessionid !== "string" || !clid || typeof clid !== "string") return false;
        session.clid = clid;
        session.gsessionid = gsessionid;
        return true;
      },
    },
    query: (session) => [
      ["token", token],
      ["gsessionid", session.gsessionid],
      ["clid", session.clid],
      ["prop", "data"],
    ],
    renew() {
      if (makes) token = "";
      return makes;
    },
    firstMap: (session) => [
      ["m", '["connect-add-client"]'],
      ["c", session.clid],
      ["_sc", "c"],
    ],
    message(session, data) {
      // ["c", [clid, ["ae", text]]]
      const [c, addressed] = list(data);
      const [clid, inner] = list(addressed);
      const [ae, text] = list(inner);
      return c === "c" && clid === session.clid && ae === "ae" && typeof text === "string" ? text : undefined;
    },
  };
}

function list(data: unknown): unknown[] {
  return Array.isArray(data) ? data : [];
}
