// What the package's types allow, and what they do not; compiled, never run.
import { BrowserChannel, ChannelError, type ChannelOptions, type State, TalkChannel } from "@gaechannel/client";

const options: ChannelOptions = {
  url: "http://host/talkgadget",
  onState: (state: State) => void state,
  signal: new AbortController().signal,
};
for await (const text of new TalkChannel(async () => "token", options)) {
  const known: string = text;
  void known;
}
const two = new BrowserChannel<{ n: number }>(new URL("http://host/channel"), { maxUnsent: 5 });
const { value, done } = await two.next();
if (!done) {
  const n: number = value.n;
  void n;
}
two.send({ a: 1 });
two.sendMap({ a: "b" });
try {
  await two.flush();
} catch (error) {
  if (error instanceof ChannelError && error.code === "maps-refused") {
    const maps: [string, string][][] = error.maps;
    void maps;
  }
}
// @ts-expect-error: no token
new TalkChannel(5, options);
// @ts-expect-error: nothing to send
two.send();
// @ts-expect-error: a talk channel only receives
new TalkChannel("token", options).send(1);
