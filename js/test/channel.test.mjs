// Channels as async iterators.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { CONFIRMED, OPENED, Server, settle } from "./fake.mjs";
import { packed } from "./packed.mjs";

const { BrowserChannel, ChannelError, TalkChannel } = await packed("index");

const URL = "http://host/channel";
const channels = [];
// One that a test has left would keep the process alive.
after(() => {
  for (const channel of channels) channel.close();
});

const open = async (options = {}) => {
  const server = new Server();
  const channel = new BrowserChannel(URL, { fetch: server.fetch, ...options });
  channels.push(channel);
  const connected = channel.connect();
  (await server.next("open")).answer(200, OPENED);
  await connected;
  return { server, channel, body: (await server.next("back")).stream() };
};

test("nothing is asked before somebody waits", async () => {
  const server = new Server();
  const channel = new TalkChannel("token", { url: URL, fetch: server.fetch });
  await settle();
  assert.deepEqual(server.calls, []);
  assert.equal(channel.state, "new");
  await channel.close();
  assert.deepEqual(await channel.next(), { done: true, value: undefined });
  await assert.rejects(channel.connect(), { name: "ChannelError", code: "closed" });
});

test("messages, who waits for them, and the loop's end", async () => {
  const states = [];
  const { server, channel, body } = await open({ onState: (state) => states.push(state) });
  const two = [channel.next(), channel.next()];
  body.chunk([1, "a"], [2, { b: 2 }], [3, "c"], [4, "d"]);
  assert.deepEqual(await Promise.all(two), [
    { done: false, value: "a" },
    { done: false, value: { b: 2 } },
  ]);
  assert.equal(channel.aid, 4);
  assert.equal(channel.sid, "SID");
  for await (const one of channel) {
    assert.equal(one, "c");
    setImmediate(async () => (await server.next("terminate")).answer(200));
    break;
  }
  assert.deepEqual(states, ["connecting", "open", "closed"]);
  // What waited is gone with it.
  assert.deepEqual(await channel.next(), { done: true, value: undefined });
  assert.throws(() => channel.send(1), { code: "closed" });
});

test("an error is thrown once, behind the messages before it", async () => {
  const { channel, body } = await open();
  body.chunk([1, "a"], [2, ["stop", "why"]]);
  await settle();
  const got = [];
  await assert.rejects(
    async () => {
      for await (const one of channel) got.push(one);
    },
    (error) => error instanceof ChannelError && error.code === "stopped" && /why/.test(error.message),
  );
  assert.deepEqual(got, ["a"]);
  assert.deepEqual(await channel.next(), { done: true, value: undefined });
  await assert.rejects(channel.flush(), { code: "stopped" });
  assert.throws(() => channel.send(1), { code: "stopped" });
});

test("connect() and flush() fail with what the channel fails with, and so does who takes messages", async () => {
  const server = new Server();
  const channel = new BrowserChannel(URL, { fetch: server.fetch });
  channel.send(1);
  const waiting = [channel.connect(), channel.flush(), channel.next()];
  (await server.next("open")).answer(403, "no");
  for (const one of await Promise.allSettled(waiting)) assert.equal(one.reason?.code, "http");
});

test("what is sent in one turn goes in one request, and flush() waits for its confirmation", async () => {
  const { server, channel } = await open();
  channel.send({ a: "é" });
  channel.sendMap({ x: "1", y: "2" });
  assert.equal(channel.pending, 2);
  let isFlushed = false;
  const flushed = channel.flush().then(() => {
    isFlushed = true;
  });
  const maps = await server.next("maps");
  assert.deepEqual(maps.form, { count: "2", ofs: "0", req0_JSON: '{"a":"é"}', req1_x: "1", req1_y: "2" });
  await settle();
  assert.ok(!isFlushed);
  maps.answer(200, CONFIRMED);
  await flushed;
  assert.equal(channel.pending, 0);
  await channel.flush();
  assert.throws(() => channel.send(undefined), TypeError);
  assert.throws(() => channel.send(10n), TypeError);
});

test("refused maps are told to who flushes; else to who takes messages; and the channel goes on", async () => {
  const { server, channel, body } = await open();
  channel.send(1);
  const flushed = channel.flush();
  (await server.next("maps")).answer(403);
  await assert.rejects(flushed, { code: "maps-refused", fatal: false, maps: [[["JSON", "1"]]] });
  channel.send(2);
  (await server.next("maps")).answer(200, CONFIRMED); // the filler
  (await server.next("maps")).answer(403);
  await assert.rejects(channel.next(), { code: "maps-refused" });
  body.chunk([1, "a"]);
  assert.deepEqual(await channel.next(), { done: false, value: "a" });
});

test("an AbortSignal closes the channel, and its reason is who waits' error", async () => {
  const controller = new AbortController();
  const { server, channel } = await open({ signal: controller.signal });
  const waiting = [channel.next(), channel.next()];
  controller.abort(new Error("enough"));
  await assert.rejects(waiting[0], { message: "enough" });
  assert.deepEqual(await waiting[1], { done: true, value: undefined });
  assert.equal(channel.state, "closed");
  assert.equal((await server.next("terminate")).query.SID, "SID");
  await assert.rejects(channel.connect(), { message: "enough" });
});

test("an AbortSignal that was aborted before", async () => {
  const server = new Server();
  const channel = new BrowserChannel(URL, { fetch: server.fetch, signal: AbortSignal.abort(new Error("no")) });
  await assert.rejects(channel.next(), { message: "no" });
  assert.deepEqual(server.calls, []);
});

test("a signal keeps no channel that has ended", async () => {
  const { signal } = new AbortController();
  const names = [];
  signal.removeEventListener = (name) => names.push(name);
  const { server, channel } = await open({ signal });
  const closed = channel.close();
  (await server.next("terminate")).answer(200);
  await closed;
  assert.deepEqual(names, ["abort"]);
});

test("a body is held back while messages wait, and silence does not count then", async () => {
  const { channel, body } = await open({ queueLimit: 2, timeout: 50 });
  body.chunk([1, 1], [2, 2]);
  await settle();
  body.chunk([3, 3]);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(channel.aid, 2);
  for (let i = 1; i < 4; i++) assert.equal((await channel.next()).value, i);
  assert.equal(channel.aid, 3);
});

test("arguments that are wrong", () => {
  assert.throws(() => new TalkChannel(5, { url: URL }), TypeError);
});

test("a page's events: frozen, resumed, hidden, left", async (t) => {
  const page = new EventTarget();
  Object.assign(globalThis, {
    document: Object.assign(new EventTarget(), { hidden: false }),
    addEventListener: page.addEventListener.bind(page),
  });
  t.after(() => {
    delete globalThis.document;
    delete globalThis.addEventListener;
  });
  const fire = (target, name, more = {}) => target.dispatchEvent(Object.assign(new Event(name), more));
  const server = new Server();
  const channel = new BrowserChannel(URL, { fetch: server.fetch });
  const connected = channel.connect();
  (await server.next("open")).answer(200, OPENED);
  await connected;
  let back = await server.next("back");
  back.stream().chunk([1, "a"]);
  assert.equal((await channel.next()).value, "a");

  fire(document, "freeze");
  await settle();
  assert.ok(back.aborted);
  assert.deepEqual(server.calls, []);
  fire(document, "resume");
  back = await server.next("back");
  assert.equal(back.query.AID, "1");

  fire(globalThis.window ?? page, "pagehide", { persisted: true });
  await settle();
  assert.ok(back.aborted);
  assert.deepEqual(server.calls, []);
  fire(page, "pageshow", { persisted: false });
  await settle();
  assert.deepEqual(server.calls, []);
  fire(page, "pageshow", { persisted: true });
  back = await server.next("back");

  for (const name of ["online", "offline"]) {
    fire(page, name);
    await settle();
    assert.ok(back.aborted);
    back = await server.next("back");
  }
  back.fail(); // a second's wait, which ends where the page is seen again
  await settle();
  assert.deepEqual(server.calls, []);
  fire(document, "visibilitychange");
  back = await server.next("back");
  fire(document, "visibilitychange");
  await settle();
  assert.ok(!back.aborted);

  fire(page, "pagehide", { persisted: false });
  const end = await server.next("terminate");
  assert.equal(end.query.SID, "SID");
  assert.ok(back.aborted);
  end.answer(200);
  await channel.close();
  fire(page, "online");
  await settle();
  assert.deepEqual(server.calls, []);
});

test("Retry-After holds though the page is seen again", async (t) => {
  const page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  t.after(() => delete globalThis.addEventListener);
  const { server, channel, body } = await open();
  body.end();
  (await server.next("back")).answer(503, "", { "Retry-After": "5" });
  await settle();
  page.dispatchEvent(new Event("online"));
  await settle();
  assert.deepEqual(server.calls, []);
  await channel.close();
});
