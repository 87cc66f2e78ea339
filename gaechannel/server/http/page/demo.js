// Draws what the channel goes through: each message as a line from when the server sent it to when the page had it,
// and under them each back channel, and how it ended.
"use strict";

const SHOWN_MS = 15000;
const LATE_MS = 300;
// In pixels from the top: the server's side, the page's side, the back channels.
const SERVER = 28;
const PAGE = 168;
const BACK = 182;

const token = document.currentScript.dataset.token;
const messages = [];
const backs = [];
let opened = 0;
let received = 0;
let wrong = 0;
let cuts = 0;
let last;

// ---- Back channels: what the script asks for is watched, and not changed ----

const realFetch = window.fetch;

function watched(body, back) {
    const reader = body.getReader();
    const end = (how) => {
        back.end ??= Date.now();
        back.how ??= how;
        if (back.how === how && how === "cut") cuts++;
    };
    return new ReadableStream({
        async pull(controller) {
            try {
                const { done, value } = await reader.read();
                if (done) end("ended");
                done ? controller.close() : controller.enqueue(value);
            } catch (error) {
                end("cut");
                controller.error(error);
            }
        },
        cancel(why) {
            end("ended");
            return reader.cancel(why);
        },
    });
}

window.fetch = async (url, options) => {
    const isBack = new URL(url).searchParams.get("RID") === "rpc";
    const response = await realFetch(url, options);
    if (!isBack || response.status !== 200) return response;
    const back = { number: ++opened, start: Date.now() };
    backs.push(back);
    return new Response(watched(response.body, back), response);
};

// ---- The channel ----

function onMessage({ data }) {
    const { number, sent } = JSON.parse(data);
    if (last !== undefined && number !== last + 1) wrong++;
    last = number;
    received++;
    messages.push({ sent, came: Date.now() });
}

function open() {
    new goog.appengine.Channel(token).open({
        onmessage: onMessage,
        onerror: ({ code, description }) => say(`error ${code}: ${description}`),
        onclose: () => setTimeout(open, 1000), // the server was gone when the page was opened
    });
}

const script = document.createElement("script");
script.src = "_ah/channel/jsapi";
script.onload = open;
document.head.append(script);

// ---- The picture ----

const svg = document.getElementById("line");

function add(name, kind, where, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    made.setAttribute("class", kind);
    for (const [key, value] of Object.entries(where)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    svg.append(made);
}

function say(text) {
    document.getElementById("summary").textContent = text;
}

function draw() {
    const now = Date.now();
    const width = svg.clientWidth;
    const x = (at) => width - ((now - at) / SHOWN_MS) * width;
    while (messages[0]?.came < now - SHOWN_MS) messages.shift();
    while (backs[0]?.end < now - SHOWN_MS) backs.shift();
    svg.replaceChildren();
    add("text", "", { x: 4, y: SERVER - 10 }, "server");
    add("text", "", { x: 4, y: PAGE + 50 }, "page: its back channels");
    add("line", "side", { x1: 0, x2: width, y1: SERVER, y2: SERVER });
    add("line", "side", { x1: 0, x2: width, y1: PAGE, y2: PAGE });
    for (const { sent, came } of messages) {
        const kind = came - sent > LATE_MS ? "caught" : "prompt";
        add("line", kind, { x1: x(sent), y1: SERVER, x2: x(came), y2: PAGE });
    }
    for (const { start, end = now, how, number } of backs) {
        const from = x(start);
        const wide = Math.max(2, x(end) - from - 1);
        add("rect", "back", { x: from, y: BACK, width: wide, height: 18, rx: 3 });
        if (wide > 26) add("text", "", { x: Math.max(4, from + 5), y: BACK + 13 }, number);
        if (how === "cut") add("line", "cut", { x1: x(end), x2: x(end), y1: PAGE - 8, y2: BACK + 24 });
    }
    if (!received) return;
    const verdict = wrong ? `${wrong} NOT in order` : "each once, and in order";
    const some = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
    say(`${some(received, "message")}, ${verdict}; ${some(opened, "back channel")}, ${cuts} of them cut`);
}

const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
setInterval(draw, calm ? 1000 : 50);
