// receive.mjs URL TOKEN COUNT: takes so many messages of a channel, and leaves.
import { TalkChannel } from "@gaechannel/client";

const [url, token, count, options] = process.argv.slice(2).map((one) => JSON.parse(one));
const channel = new TalkChannel(token, { url, ...options });
const got = [];
for await (const text of channel) if (got.push(text) >= count) break;
console.log(JSON.stringify({ got, state: channel.state }));
