// The npm package browserchannel's server: node node_server.js [PORT [PACKAGE]].
"use strict";

const http = require("node:http");
const { server: browserChannel } = require(process.argv[3] || "browserchannel");
const { emit, onCommand } = require("./peer");

const sockets = new Set();
let session = null;

const options = { base: "/channel", sessionTimeoutInterval: 5000, keepAliveInterval: 20000 };
const middleware = browserChannel(options, (opened) => {
  session = opened;
  emit("session", { id: opened.id, query: opened.query });
  opened.on("map", (map) => emit("map", { map: map === undefined ? null : map }));
  opened.on("message", (message) => {
    emit("message", { message });
    if (message !== null && message.echo !== undefined) opened.send(message.echo);
  });
  opened.on("close", (reason) => emit("close", { id: opened.id, reason }));
});

const server = http.createServer((request, response) => {
  emit("request", { method: request.method, url: request.url });
  middleware(request, response, () => {
    response.statusCode = 404;
    response.end();
  });
});
server.on("connection", (socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
});

onCommand({
  send: ({ data }) => session.send(data),
  count: ({ count }) => {
    for (let number = 0; number < count; number++) session.send([number, "é😀"]);
  },
  stop: () => session.stop(),
  close: () => session.close(),
  cut: () => sockets.forEach((socket) => socket.destroy()),
});

server.listen(Number(process.argv[2] || 0), "127.0.0.1", () => {
  emit("listening", { port: server.address().port });
});
