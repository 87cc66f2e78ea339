// The npm package browserchannel's client, under Node: node node_client.js URL.
"use strict";

// Closure waits 5 to 15 seconds before it tries again: its clock goes 20 times as fast here.
const { setTimeout } = globalThis;
globalThis.setTimeout = (callback, milliseconds) => setTimeout(callback, milliseconds / 20);

const { BCSocket } = require("browserchannel");
const { emit, onCommand } = require("./peer");

const socket = new BCSocket(process.argv[2], { reconnect: true, reconnectTime: 100 });

socket.onopen = () => emit("open");
socket.onmessage = (message) => emit("message", { data: message.data });
socket.onerror = (words) => emit("error", { words });
socket.onclose = (words) => emit("close", { words });

onCommand({
  send: ({ data }) => socket.send(data),
  map: ({ map }) => socket.sendMap(map),
  count: ({ count }) => {
    for (let number = 0; number < count; number++) socket.send({ n: number, t: "é😀" });
  },
  close: () => socket.close(),
});
