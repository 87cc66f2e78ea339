// What the peers of this folder share: events go out as lines of JSON on stdout, commands come in on stdin.
"use strict";

const readline = require("node:readline");

// For other people's words, which belong to nobody's protocol.
console.log = console.info = console.warn = console.error;

function emit(event, more) {
  process.stdout.write(JSON.stringify({ event, ...more }) + "\n");
}

function onCommand(commands) {
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  }).on("close", () => process.exit());
}

module.exports = { emit, onCommand };
