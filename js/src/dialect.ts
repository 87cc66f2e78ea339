// What differs between the dialects of the protocol.
import type { Fields } from "./errors.ts";
import type { Session } from "./session.ts";

/** What a request is for. */
export type Kind = "init" | "open" | "maps" | "back" | "terminate";

export interface Dialect {
  /** Path of every bind request, after the base URL. */
  bindPath: string;
  /** The first RID; absent: five random digits. */
  firstRid?: number;
  /** Whether maps may go in the opening request. */
  opensWithMaps?: boolean;
  /** What the query has besides what all dialects have. */
  query(session: Session, kind: Kind): Fields;
  /** The page before the opening request: path and query, and whether what it says can be used. */
  initPage?: {
    url(session: Session, base: string): string | Promise<string>;
    read(session: Session, page: string): boolean;
  };
  /** Forgets a token that is refused; whether there will be another. */
  renew?(session: Session): boolean;
  /** The first map of a session, without which no message comes. */
  firstMap?(session: Session): Fields;
  /** Obeys an array of its own; whether it was one. `first`: in the opening reply, or first behind it. */
  control?(session: Session, data: unknown[], first: boolean): boolean;
  /** The message in an array's data; undefined where there is none. Absent: the data itself. */
  message?(session: Session, data: unknown): unknown;
}
