// exchange.mjs URL COUNT OPTIONS: sends numbers, no more than 40 ahead of their echoes; all must come back in order.
import { BrowserChannel } from "@gaechannel/client";

const [url, count, options] = process.argv.slice(2).map((one) => JSON.parse(one));
let channel;
// The opening request may fail as any other, and is the caller's to repeat.
for (let opened = false; !opened; ) {
  channel = new BrowserChannel(url, options);
  opened = await channel.connect().then(
    () => true,
    () => false,
  );
}
const { sid } = channel;
let sent = 0;
const sendMore = (got) => {
  while (sent < count && sent < got + 40) channel.send({ echo: { n: sent++ }, n: sent - 1 });
};
let wrong = 0;
let got = 0;
sendMore(0);
for await (const { n } of channel) {
  wrong += n !== got++;
  if (got === count) break;
  sendMore(got);
}
console.log(JSON.stringify({ got, wrong, sid }));
