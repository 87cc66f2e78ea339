// Google's own WebChannel client, under Node: node web_client.js URL OPTIONS.
"use strict";

globalThis.XMLHttpRequest = require("xmlhttprequest").XMLHttpRequest;
// The client looks for what browsers have.
globalThis.self = globalThis;

const { createWebChannelTransport, WebChannel } = require("@firebase/webchannel-wrapper/webchannel-blob");
const { emit, onCommand } = require("./peer");

const channel = createWebChannelTransport().createWebChannel(process.argv[2], JSON.parse(process.argv[3]));
const { EventType } = WebChannel;

channel.listen(EventType.OPEN, () => emit("open"));
channel.listen(EventType.MESSAGE, (message) => emit("message", { data: message.data }));
channel.listen(EventType.ERROR, (error) => emit("error", { words: String(error.status), error: error.error }));
channel.listen(EventType.CLOSE, () => emit("close"));
channel.open();

onCommand({
  send: ({ data }) => channel.send(data),
  count: ({ count }) => {
    for (let number = 0; number < count; number++) channel.send({ n: number, t: "é😀" });
  },
  close: () => channel.close(),
});
