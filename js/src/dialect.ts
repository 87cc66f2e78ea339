// What differs between the dialects of the protocol. A dialect keeps what it learns: it is one channel's.
import type { ChannelError } from "./errors.ts";

export interface Dialect {
  /** Path of every bind request, after the base URL. */
  _path: string;
  /** The first RID. */
  _rid: number;
  /** Path and query of the page before the opening request; undefined where none is needed, or any more. */
  _page(base: string): string | Promise<string> | undefined;
  /** Whether what the page says can be used. */
  _readPage?(text: string): boolean;
  /** What the query has besides what all dialects have. */
  _query(isOpening: boolean): Record<string, string>;
  /** Drops what came of a token, and, where it `isRefused`, the token; whether there will be another. */
  _restart?(isRefused: boolean): boolean;
  /** The session `sid`, which has received `aid`, is lost. */
  _lost?(sid: string, aid: number): void;
  /** The message in an array's data; undefined where there is none. `isFirst`: of the opening reply, or next to it. */
  _read(data: unknown, isFirst: boolean): unknown;

  /** How many maps wait that somebody waits for. */
  _due(): number;
  /** The form of an opening request, or of one with maps. */
  _form(isOpening: boolean): Record<string, string>;
  /** The server has what the last form held. */
  _sent(isOpening: boolean): void;
  /** What a forward reply says against the back channel, which is `age` ms old: after how many ms it is dead. */
  _judge?(said: number[], aid: number, age: number): number | undefined;
  /** The server has refused what the last form held: the error to be told, if the channel can go on. */
  _refused?(status: number): ChannelError | undefined;
}
