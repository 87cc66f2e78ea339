// The dialect of the App Engine Channel API: a page names clid and gsessionid before the session opens.
import type { Dialect } from "./dialect.ts";
import { ChannelError } from "./errors.ts";
import { FULL } from "./full.ts";
import { STRING, unquote } from "./literal.ts";
import { letters } from "./session.ts";

/** A token, or what makes one: it is asked again when the old one has expired. */
export type Token = string | (() => string | Promise<string>);

// The call has seven string literals, of which the third and the fourth are wanted.
const CALL = /* @__PURE__ */ new RegExp(`\\.WcsDataClient\\(${`\\s*(${STRING})\\s*,`.repeat(4)}`, "s");

/**
 * The talk dialect for one token.
 *
 * @throws TypeError the token is neither a string nor a function.
 */
export function talk(given: Token): Dialect {
  const make = FULL && typeof given === "function" && given;
  if (FULL && !make && typeof given !== "string") throw new TypeError("the token is no string");
  let token = make ? "" : (given as string);
  let clid = "";
  let gsessionid = "";
  let isAdded = false;
  const page = (base: string): string => {
    const blank = `${base}/xpc_blank`;
    const xpc = FULL ? JSON.stringify({ cn: letters(), tp: "null", ppu: blank, lpu: blank }) : "{}";
    return `/d?${new URLSearchParams({ token, xpc })}`;
  };
  const ask = async (makes: () => string | Promise<string>, base: string): Promise<string> => {
    try {
      token = await makes();
    } catch (cause) {
      throw new ChannelError("token", `no token: ${cause}`, { cause });
    }
    return page(base);
  };
  return {
    _path: "/dch/bind",
    _rid: 1,
    _page: (base) => (clid ? undefined : make && !token ? ask(make, base) : page(base)),
    _readPage(text) {
      const found = CALL.exec(text);
      if (found) [, , clid, gsessionid] = found.slice(1).map(unquote) as [string, string, string, string];
      return !!clid;
    },
    _query: () => ({ token, gsessionid, clid, prop: "data" }),
    _restart(isRefused) {
      clid = "";
      if (isRefused && make) token = "";
      return !!make;
    },
    _read(data) {
      try {
        const [c, [id, [ae, text]]] = data as [string, [string, [string, string]]];
        if (c === "c" && id === clid && ae === "ae" && typeof text === "string") return text;
      } catch {} // another array
      return undefined;
    },
    _due: () => +!isAdded,
    // Until the server has this map it sends no message. Google's wanted it in a request of its own.
    _form: (isOpening) => ({
      count: FULL && isOpening ? "0" : "1",
      ofs: "0",
      ...((!FULL || !isOpening) && { req0_m: '["connect-add-client"]', req0_c: clid, req0__sc: "c" }),
    }),
    _sent(isOpening) {
      isAdded = !FULL || !isOpening;
    },
  };
}
