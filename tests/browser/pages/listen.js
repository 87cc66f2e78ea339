// What the tests drive: opens sockets, and keeps what each was told.
"use strict";

// Uncaught errors and rejections; a test says which it expects.
const faults = [];
addEventListener("error", (event) => faults.push(event.message));
addEventListener("unhandledrejection", (event) => faults.push(`unhandled: ${event.reason}`));

const sockets = [];

// Opens a socket; `told` has all but the messages, in their order, and where among these they came.
function listen(token, more = {}) {
  const got = { told: [], messages: [] };
  const tell = (word, ...rest) => got.told.push(rest.length ? [word, ...rest] : word);
  const handler = {
    onopen: () => tell("open"),
    onmessage: (message) => got.messages.push(message.data),
    onerror: (error) => tell("error", error.code, error.description),
    onclose: () => tell("close"),
    ...more,
  };
  got.socket = new goog.appengine.Channel(token).open(handler);
  sockets.push(got);
  return sockets.length - 1;
}

// What may go over to the test: a socket may not.
function told(number = 0) {
  return sockets[number].told;
}
