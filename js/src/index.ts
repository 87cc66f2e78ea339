export { BrowserChannel, type BrowserChannelOptions, type ChannelOptions, TalkChannel } from "./channel.ts";
export { ChannelError, type ErrorCode, type Fields } from "./errors.ts";
export type { State } from "./session.ts";
export type { Token } from "./talk.ts";
