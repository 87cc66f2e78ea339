// What a session asks, and what it makes of the answers.
import assert from "node:assert/strict";
import { after, mock, test } from "node:test";
import { CONFIRMED, OPENED, PAGE, Server, settle } from "./fake.mjs";
import { packed } from "./packed.mjs";

const { Connection } = await packed("connection");
const { talk } = await packed("talk");
const { browserChannel } = await packed("browserchannel");

const URL = "http://host/talkgadget";

const connections = [];
// One that a test has left would keep the process alive.
after(() => {
  for (const connection of connections) connection.close();
});

/** A connection to a server of the test's own, and what its handlers were told. */
function make(dialect = talk("token"), options = {}, handlers = {}) {
  const server = new Server();
  const told = [];
  const errors = [];
  const connection = new Connection(
    dialect,
    { url: URL, fetch: server.fetch, ...options },
    {
      onopen: () => told.push("open"),
      onmessage: (data) => told.push(data),
      onerror: (error) => {
        told.push(`error ${error.code}`);
        errors.push(error);
      },
      onclose: () => told.push("close"),
      ...handlers,
    },
  );
  connections.push(connection);
  connection.start();
  return { server, told, errors, connection };
}

/** Time of the test's own, for one test; chance always makes waits as long as they can be. */
function stopTime(t) {
  let now = 1000;
  mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(performance, "now", () => now);
  t.mock.method(Math, "random", () => 0);
  t.after(() => mock.timers.reset());
  return async (ms) => {
    await settle();
    now += ms;
    mock.timers.tick(ms);
    await settle();
  };
}

const message = (id, text) => [id, ["c", ["CLID", ["ae", text]]]];

test("talk: page, opening, the map, the back channel", async () => {
  const { server, told, connection } = make();
  connection.start(); // nothing more
  const page = await server.next("page");
  assert.equal(page.path, `${URL}/d`);
  assert.equal(page.query.token, "token");
  assert.equal(JSON.parse(page.query.xpc).ppu, `${URL}/xpc_blank`);
  page.answer(200, PAGE);
  const open = await server.next("open");
  assert.equal(open.path, `${URL}/dch/bind`);
  const { zx, ...query } = open.query;
  assert.match(zx, /^\w+$/);
  assert.deepEqual(query, {
    VER: "8",
    RID: "1",
    CVER: "1",
    t: "1",
    token: "token",
    gsessionid: 'g"sid',
    clid: "CLID",
    prop: "data",
  });
  assert.equal(open.form.count, "0");
  open.answer(200, OPENED);
  const maps = await server.next("maps");
  assert.deepEqual([maps.query.SID, maps.query.AID, maps.query.RID], ["SID", "0", "2"]);
  assert.deepEqual(maps.form, {
    count: "1",
    ofs: "0",
    req0_m: '["connect-add-client"]',
    req0_c: "CLID",
    req0__sc: "c",
  });
  const back = await server.next("back");
  assert.deepEqual([back.query.AID, back.query.CI, back.query.TYPE], ["0", "0", "xmlhttp"]);
  assert.deepEqual(told, []);
  maps.answer(200, CONFIRMED);
  await settle();
  assert.deepEqual(told, ["open"]);
  const body = back.stream();
  body.chunk(
    message(1, "a"),
    [2, ["noop"]],
    message(3, "é😀"),
    [4, ["c", ["OTHER", ["ae", "no"]]]],
    [5, ["c", 5]],
    [6, null],
  );
  await settle();
  assert.deepEqual(told, ["open", "a", "é😀"]);
  body.end();
  const next = await server.next("back");
  assert.equal(next.query.AID, "6");
  connection.close();
  const end = await server.next("terminate");
  assert.deepEqual([end.query.SID, end.query.AID, end.method], ["SID", "6", "GET"]);
  assert.ok(next.aborted);
  await settle();
  assert.deepEqual(told.slice(3), ["close"]);
  connection.start();
  connection.close();
  await settle();
  assert.deepEqual(told.slice(3), ["close"]);
  end.answer(200);
});

test("a message before the map is confirmed is told after the opening", async () => {
  const { server, told } = make();
  (await server.next("page")).answer(200, PAGE);
  (await server.next("open")).answer(200, OPENED);
  (await server.next("back")).stream().chunk(message(1, "a"));
  await settle();
  assert.deepEqual(told, ["open", "a"]);
  (await server.next("maps")).answer(200, CONFIRMED);
  await settle();
  assert.deepEqual(told, ["open", "a"]);
});

test("arrays that were seen before are dropped, and a cut moves AID by what was complete", async (t) => {
  const pass = stopTime(t);
  const { server, told } = make();
  const body = (await server.talk()).stream();
  body.chunk(message(1, "a"), message(2, "b"));
  body.write('40\n[[3,["c"');
  await settle();
  body.cut();
  await pass(1000);
  const again = await server.next("back");
  assert.deepEqual([again.query.AID, again.query.t], ["2", "2"]);
  again.stream().chunk(message(1, "a"), message(2, "b"), message(3, "c"));
  await settle();
  assert.deepEqual(told, ["open", "a", "b", "c"]);
});

test("a body that ends inside a chunk is a broken connection", async (t) => {
  const pass = stopTime(t);
  const { server, told } = make();
  (await server.talk()).answer(200, "40\n[[3");
  await settle();
  assert.deepEqual(server.calls, []);
  await pass(1000);
  assert.equal((await server.next("back")).query.AID, "0");
  assert.deepEqual(told, ["open"]);
});

for (const [name, answer] of Object.entries({
  "cannot be reached": (call) => call.fail(),
  "answers 404": (call) => call.answer(404, "no such thing"),
  "answers HTML with 200": (call) => call.answer(200, "<html>log in</html>"),
  "says stop": null,
}))
  test(`who opens and ${name}: onerror, onclose, nothing more`, async () => {
    const { server, told, errors } = make();
    const page = await server.next("page");
    if (answer) answer(page);
    else {
      page.answer(200, PAGE);
      (await server.next("open")).answer(200, '[[0,["stop"]]]');
    }
    await settle();
    const code = errors[0].code;
    assert.deepEqual(told, [`error ${code}`, "close"]);
    assert.ok(errors[0].fatal);
    assert.doesNotMatch(errors[0].message, /undefined/);
    assert.equal(
      { "cannot be reached": "transport", "answers 404": "http", "says stop": "stopped" }[name] ?? "protocol",
      code,
    );
    assert.deepEqual(server.calls, []);
  });

test("a redirect to another host is somebody else's answer; one within the host is not", async () => {
  for (const [base, from, code] of [
    [URL, "http://portal/login", "http"],
    [URL, "http://host/other", "protocol"],
    ["/talkgadget", "http://host/other", "protocol"],
  ]) {
    const { server, errors } = make(talk("token"), { url: base });
    const page = await server.next("page");
    const head = { status: 200, statusText: "OK", headers: new Headers(), body: null };
    page.resolve({ ...head, redirected: true, url: from });
    await settle();
    assert.equal(errors[0].code, code);
    assert.equal(errors[0].status, code === "http" ? 302 : 200);
  }
});

for (const [words, code] of [
  ["Token+timed+out.", "token-expired"],
  ["Invalid+token.", "token-invalid"],
  ["RID_OUTSIDE_WINDOW", "http"],
])
  for (const inReason of [true, false])
    test(`401 ${words} in the ${inReason ? "reason" : "body"}`, async () => {
      const { server, told, errors } = make();
      (await server.next("page")).answer(401, inReason ? "" : words, {}, inReason ? words : "");
      await settle();
      assert.deepEqual(told, [`error ${code}`, "close"]);
      assert.equal(errors[0].status, 401);
      assert.equal(errors[0].reason, words);
    });

test("a function makes a new token once the old one has expired, and once only", async () => {
  let made = 0;
  const { server, told } = make(talk(async () => `token${++made}`));
  let page = await server.next("page");
  assert.equal(page.query.token, "token1");
  page.answer(401, "Token+timed+out.");
  page = await server.next("page");
  assert.equal(page.query.token, "token2");
  page.answer(401, "Token+timed+out.");
  await settle();
  assert.deepEqual(told, ["error token-expired", "close"]);
});

test("a token that expires on the back channel", async () => {
  let made = 0;
  const { server, told } = make(talk(() => `token${++made}`));
  (await server.talk()).answer(401, "Token+timed+out.");
  const page = await server.next("page");
  assert.equal(page.query.token, "token2");
  page.answer(200, PAGE);
  (await server.next("open")).answer(200, OPENED);
  (await server.next("maps")).answer(200, CONFIRMED);
  (await server.next("back")).answer(200);
  assert.deepEqual(told, ["open"]);
});

test("a function that makes no token", async () => {
  const { told, errors } = make(
    talk(() => {
      throw new Error("none");
    }),
  );
  await settle();
  assert.deepEqual(told, ["error token", "close"]);
  assert.equal(errors[0].cause.message, "none");
});

test("a token that is no string", () => {
  for (const token of [undefined, null, 5, {}]) assert.throws(() => talk(token), TypeError);
});

test("a server that answers 500 is asked again, ever later; Retry-After is obeyed", async (t) => {
  const pass = stopTime(t);
  const { server, told, connection } = make();
  let asked = 0;
  for (const wait of [1000, 2000, 4000, 8000, 16_000, 32_000, 32_000]) {
    const page = await server.next("page");
    page.answer(500, "sorry");
    await settle();
    await pass(wait - 1);
    assert.deepEqual(server.calls, []);
    await pass(1);
    asked++;
  }
  (await server.next("page")).answer(503, "", { "Retry-After": "100" });
  await pass(99_999);
  assert.deepEqual(server.calls, []);
  await pass(1);
  await server.next("page");
  assert.equal(asked, 7);
  assert.deepEqual(told, []);
  connection.close();
});

test("a server that never answers: silence ends the first request", async (t) => {
  const pass = stopTime(t);
  const { server, told } = make();
  const page = await server.next("page");
  await pass(29_999);
  assert.deepEqual(told, []);
  await pass(1);
  assert.ok(page.aborted);
  assert.deepEqual(told, ["error timeout", "close"]);
});

test("a trickle is no progress", async (t) => {
  const pass = stopTime(t);
  const { server, told } = make();
  const body = (await server.next("page")).stream();
  for (let i = 0; i < 3; i++) {
    body.write("<");
    await pass(10_000);
  }
  await settle();
  assert.deepEqual(told, ["error timeout", "close"]);
});

test("a trickle is no progress while the back channel streams, either", async (t) => {
  const pass = stopTime(t);
  const { server, dialect, connection } = makeTwo();
  (await server.next("open")).answer(200, OPENED);
  const back = (await server.next("back")).stream();
  dialect._send([["n", "1"]]);
  connection._session._wake();
  const maps = await server.next("maps");
  const body = maps.stream();
  for (let i = 1; i < 4; i++) {
    body.write("[");
    back.chunk([i, ["noop"]]);
    await pass(10_010);
  }
  assert.ok(maps.aborted);
  await pass(1000);
  assert.equal((await server.next("maps")).query.t, "2");
});

test("a back channel is silent for 1.5 times the announced keep-alive at most", async (t) => {
  const pass = stopTime(t);
  const { server, told } = make(talk("token"), {});
  const back = await server.talk('[[0,["c","SID","",8,14,20000]]]');
  const body = back.stream();
  for (let i = 1; i < 4; i++) {
    await pass(29_999);
    body.chunk([i, ["noop"]]);
    await settle();
  }
  assert.ok(!back.aborted);
  await pass(30_000);
  assert.ok(back.aborted);
  // It has worked: that is no fault of the server's.
  assert.equal((await server.next("back")).query.AID, "3");
  assert.deepEqual(told, ["open"]);
});

test("back channels that end at once and empty make no circles", async (t) => {
  stopTime(t);
  const { server } = make();
  (await server.talk()).answer(200);
  for (let i = 0; i < 3; i++) (await server.next("back")).answer(200);
  await settle();
  assert.deepEqual(server.calls, []);
});

test("HTML with 200 on the back channel: some more tries, then an error", async (t) => {
  const pass = stopTime(t);
  const { server, told } = make();
  (await server.talk()).answer(200, "<html>");
  for (let i = 0; i < 5; i++) {
    await pass(32_000);
    (await server.next("back")).answer(200, "<html>");
  }
  await settle();
  assert.deepEqual(told, ["open", "error corrupt", "close"]);
});

test("a channel that has worked outlasts a portal for a minute", async (t) => {
  const pass = stopTime(t);
  const { server, told } = make();
  const body = (await server.talk()).stream();
  body.chunk(message(1, "a"));
  body.end();
  for (let i = 0; i < 6; i++) {
    (await server.next("back")).answer(i % 2 ? 404 : 200, "<html>log in</html>");
    await pass([1000, 2000, 4000, 8000, 16_000, 32_000][i]);
  }
  assert.deepEqual(told, ["open", "a"]);
  (await server.next("back")).stream().chunk(message(2, "b"));
  await settle();
  assert.deepEqual(told, ["open", "a", "b"]);
});

test("an array that cannot be read is asked for twice, told, and left behind", async (t) => {
  const pass = stopTime(t);
  const { server, told, errors } = make();
  const bad = '[[1,["c",["CLID",["ae","a"]]]],[2,oops],[3,["c",["CLID",["ae","c"]]]]]';
  const back = await server.talk();
  back.stream().write(`${bad.length}\n${bad}`);
  await pass(1000);
  assert.ok(back.aborted);
  const again = await server.next("back");
  assert.equal(again.query.AID, "1");
  again.stream().write(`${bad.length}\n${bad}`);
  const third = await server.next("back");
  assert.equal(third.query.AID, "2");
  third.stream().chunk(message(3, "c"));
  await settle();
  assert.deepEqual(told, ["open", "a", "error corrupt", "c"]);
  assert.ok(!errors[0].fatal);
  assert.match(errors[0].message, /array 2 /);
});

test("a lost session is followed by a new one, with the same token", async () => {
  const { server, told } = make();
  const body = (await server.talk()).stream();
  body.chunk(message(1, "a"), message(2, "b"));
  body.end();
  (await server.next("back")).answer(400, "Unknown SID");
  const open = await server.next("open");
  assert.equal(open.query.SID, undefined);
  assert.equal(open.query.RID, "3");
  open.answer(200, '[[0,["c","SID2",,8]]]');
  assert.equal((await server.next("maps")).query.SID, "SID2");
  (await server.next("back")).stream().chunk(message(1, "c"));
  await settle();
  assert.deepEqual(told, ["open", "a", "b", "c"]);
});

test("sessions that are lost again and again: ever later, from the page on, and not for ever", async (t) => {
  const pass = stopTime(t);
  const { server, told } = make();
  let pages = 0;
  for (let lost = 0; told.length < 2 && lost < 20; lost++) {
    await settle();
    if (!server.calls.length) await pass(32_000);
    if (server.calls[0]?.kind === "page") {
      pages++;
      (await server.next("page")).answer(200, PAGE);
    }
    (await server.next("open")).answer(200, OPENED);
    (await server.next("back")).answer(410);
    await settle();
    server.calls = server.calls.filter((call) => call.kind !== "maps");
  }
  assert.ok(pages > 3);
  assert.deepEqual(told, ["error session-lost", "close"]);
});

test("close in a handler: nothing of the same chunk comes after it", async () => {
  for (const name of ["onopen", "onmessage"]) {
    const told = [];
    const { server, connection } = make(
      talk("token"),
      {},
      {
        onopen: () => {
          told.push("open");
          if (name === "onopen") connection.close();
        },
        onmessage: (text) => {
          told.push(text);
          connection.close();
        },
        onclose: () => told.push("close"),
      },
    );
    (await server.next("page")).answer(200, PAGE);
    (await server.next("open")).answer(200, OPENED);
    (await server.next("back")).stream().chunk(message(1, "a"), message(2, "b"));
    await settle();
    assert.deepEqual(told, name === "onopen" ? ["open", "close"] : ["open", "a", "close"]);
    assert.equal((await server.next("terminate")).query.SID, "SID");
    const seen = server.calls.filter((call) => call.kind !== "maps");
    assert.deepEqual(seen, []);
  }
});

test("close in onerror: onclose comes once", async () => {
  const told = [];
  const { server, connection } = make(
    talk("token"),
    {},
    {
      onerror: () => {
        told.push("error");
        connection.close();
      },
      onclose: () => told.push("close"),
    },
  );
  (await server.next("page")).answer(404);
  await settle();
  assert.deepEqual(told, ["error", "close"]);
});

test("handlers that throw are reported as uncaught, and the channel goes on", async (t) => {
  const uncaught = [];
  const catchIt = (error) => uncaught.push(error.message);
  process.setUncaughtExceptionCaptureCallback(catchIt);
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  const told = [];
  const fail = (name) => (data) => {
    told.push(data ?? name);
    throw new Error(name);
  };
  const { server, connection } = make(
    talk("token"),
    {},
    {
      onopen: fail("open"),
      onmessage: fail("message"),
      onclose: fail("close"),
    },
  );
  (await server.talk()).stream().chunk(message(1, "a"), message(2, "b"));
  await settle();
  connection.close();
  (await server.next("terminate")).answer(200);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(told, ["open", "a", "b", "close"]);
  assert.deepEqual(uncaught, ["open", "message", "message", "close"]);
});

test("a terminate that the server does not know as GET goes by POST", async () => {
  const { server, connection } = make();
  await server.talk();
  const closed = connection.close();
  (await server.next("terminate")).answer(405);
  const post = await server.next("terminate");
  assert.equal(post.method, "POST");
  post.answer(200);
  await closed;
});

test("close waits a second at most", async (t) => {
  const pass = stopTime(t);
  const { server, connection } = make();
  await server.talk();
  const closed = connection.close();
  const end = await server.next("terminate");
  await pass(1000);
  assert.ok(end.aborted);
  await closed;
});

test("close while it opens", async () => {
  const { server, told, connection } = make();
  const page = await server.next("page");
  await connection.close();
  assert.ok(page.aborted);
  await settle();
  assert.deepEqual(told, ["close"]);
  assert.deepEqual(server.calls, []);
});

/* ---- browserchannel ---- */

const BASE = "http://host/channel";
const makeTwo = (options = {}) => {
  const dialect = browserChannel(1 << 20);
  return { dialect, ...make(dialect, { url: BASE, ...options }) };
};

test("browserchannel: maps in the opening, gsessionid, arrays of the opening reply", async () => {
  const { server, told, dialect } = makeTwo({ params: { device: "é" } });
  dialect._send([["JSON", "1"]]); // in the same turn as start()
  dialect._send([["x", "\ud800 &"]]);
  const open = await server.next("open");
  assert.equal(open.path, `${BASE}/bind`);
  assert.equal(open.query.device, "é");
  assert.match(open.query.RID, /^\d{5}$/);
  assert.deepEqual(open.form, { count: "2", ofs: "0", req0_JSON: "1", req1_x: "\ufffd &" });
  open.answer(200, '[[0,["c","SID","",8]],[1,["S","gs"]],[2,["first"]]]');
  const back = await server.next("back");
  assert.deepEqual([back.query.gsessionid, back.query.AID], ["gs", "2"]);
  await settle();
  assert.deepEqual(told, ["open", ["first"]]);
  assert.equal(dialect._due(), 0);
  assert.deepEqual(server.calls, []);
});

test("maps go in order, with their ids, until they are confirmed; a proxy's page confirms nothing", async (t) => {
  const pass = stopTime(t);
  const { server, dialect, connection } = makeTwo();
  (await server.next("open")).answer(200, OPENED);
  await server.next("back");
  dialect._send([["n", "0"]]);
  connection._session._wake();
  const first = await server.next("maps");
  const rid = first.query.RID;
  dialect._send([["n", "1"]]);
  for (const [i, body] of ["", "<html>", "{}", "[1,2", "[2,1]", '["1",1,1]', "3\n[1,2,3]"].entries()) {
    const call = i ? await server.next("maps") : first;
    assert.deepEqual([call.query.RID, call.query.t], [rid, `${i + 1}`]);
    assert.equal(call.form.req0_n, "0");
    assert.equal(call.form.ofs, "0");
    if (i) assert.equal(call.form.req1_n, "1");
    if (i < 6) call.answer(200, body);
    else call.answer(200, "7\n[1,0,0]");
    if (i < 5) await pass(32_000);
    else if (i === 5) break;
  }
  await settle();
});

test("whatever number says that there is a back channel, as Google's client takes it, a reply confirms", async () => {
  const { server, dialect, connection } = makeTwo();
  (await server.next("open")).answer(200, OPENED);
  await server.next("back");
  for (const [i, body] of ["7\n[1,0,0]", "9\n[170,0,0]", "[2,1,1]", "[true,1,1]"].entries()) {
    dialect._send([["n", `${i}`]]);
    connection._session._wake();
    const call = await server.next("maps");
    assert.deepEqual([call.form.req0_n, call.form.ofs, call.query.t], [`${i}`, `${i}`, "1"]);
    call.answer(200, body);
    await settle();
  }
});

test("a confirmed map is gone, and the next has the next id", async () => {
  const { server, dialect, connection } = makeTwo();
  (await server.next("open")).answer(200, OPENED);
  for (const n of [0, 1]) {
    dialect._send([["n", `${n}`]]);
    connection._session._wake();
    const call = await server.next("maps");
    assert.deepEqual(call.form, { count: "1", ofs: `${n}`, req0_n: `${n}` });
    call.answer(200, CONFIRMED);
    await settle();
    assert.equal(dialect._due(), 0);
  }
});

test("a request holds no more than servers read", async () => {
  const { server, dialect } = makeTwo();
  for (let n = 0; n < 1000; n++) dialect._send([["n", `${n}`]]);
  const open = await server.next("open");
  assert.equal(open.form.count, "900");
  open.answer(200, OPENED);
  assert.deepEqual((await server.next("maps")).form.ofs, "900");
  assert.throws(() => dialect._send([["n", "x".repeat(1 << 20)]]), { code: "queue-full" });
});

test("maps that are refused are told, and their ids filled", async () => {
  const { server, dialect, connection, told, errors } = makeTwo();
  (await server.next("open")).answer(200, OPENED);
  await server.next("back");
  dialect._send([["n", "bad"]]);
  connection._session._wake();
  (await server.next("maps")).answer(403, "no");
  await settle();
  assert.deepEqual(told, ["open", "error maps-refused"]);
  assert.deepEqual([errors[0].fatal, errors[0].maps, errors[0].status], [false, [[["n", "bad"]]], 403]);
  assert.deepEqual(server.calls, []);
  dialect._send([["n", "good"]]);
  connection._session._wake();
  const filler = await server.next("maps");
  assert.deepEqual(filler.form, { count: "1", ofs: "0", req0_type: "_badmap" });
  filler.answer(200, CONFIRMED);
  const good = await server.next("maps");
  assert.deepEqual(good.form, { count: "1", ofs: "1", req0_n: "good" });
});

test("a server without the back channel, and one that owes arrays", async (t) => {
  const pass = stopTime(t);
  const { server, dialect, connection } = makeTwo();
  (await server.next("open")).answer(200, OPENED);
  let back = await server.next("back");
  back.stream();
  const send = async (reply) => {
    dialect._send([["n", "1"]]);
    connection._session._wake();
    (await server.next("maps")).answer(200, reply);
    await settle();
  };
  await pass(2000);
  await send("[0,0,0]");
  await pass(999);
  assert.ok(!back.aborted);
  await pass(1);
  assert.ok(back.aborted);
  back = await server.next("back");
  const body = back.stream();
  await send("[1,5,100]");
  await pass(5000);
  await send("[1,5,100]"); // does not put it off
  await pass(1000);
  assert.ok(back.aborted);
  back = await server.next("back");
  const other = back.stream();
  await send("[1,5,100]");
  await pass(5000);
  other.chunk([1, ["noop"]]);
  await settle();
  await pass(5000);
  assert.ok(!back.aborted);
  void body;
});

test("a wait is not cut short by what a forward reply says", async (t) => {
  const pass = stopTime(t);
  const { server, dialect, connection } = makeTwo();
  (await server.next("open")).answer(200, OPENED);
  (await server.next("back")).answer(503, "", { "Retry-After": "60" });
  await settle();
  dialect._send([["n", "1"]]);
  connection._session._wake();
  (await server.next("maps")).answer(200, "[0,0,0]");
  await pass(59_999);
  assert.deepEqual(server.calls, []);
  await pass(1);
  await server.next("back");
});

test("a lost session's maps go to the next, which names the lost one", async () => {
  const { server, dialect, connection } = makeTwo();
  (await server.next("open")).answer(200, '[[0,["c","SID",,8]],[1,["S","gs"]],[2,"x"]]');
  await server.next("back");
  dialect._send([["n", "0"]]);
  connection._session._wake();
  (await server.next("maps")).answer(400);
  const open = await server.next("open");
  assert.deepEqual([open.query.OSID, open.query.OAID, open.query.gsessionid], ["SID", "2", undefined]);
  assert.deepEqual(open.form, { count: "1", ofs: "0", req0_n: "0" });
});

test("no new sessions where none are wanted", async () => {
  const { server, told } = makeTwo({ newSessions: false });
  (await server.next("open")).answer(200, OPENED);
  (await server.next("back")).answer(400);
  await settle();
  assert.deepEqual(told, ["open", "error session-lost", "close"]);
});

test("no more tries than are wanted", async (t) => {
  const pass = stopTime(t);
  const { server, told } = makeTwo({ maxReconnects: 1 });
  (await server.next("open")).answer(200, OPENED);
  (await server.next("back")).fail();
  await pass(1000);
  (await server.next("back")).fail();
  await settle();
  assert.deepEqual(told, ["open", "error transport", "close"]);
});

/* ---- A proxy that holds responses back ---- */

test("a back channel that is never answered is asked for in batches", async (t) => {
  const pass = stopTime(t);
  const { server, told } = make();
  const back = await server.talk();
  await pass(10_000);
  assert.ok(back.aborted);
  const batch = await server.next("back");
  assert.equal(batch.query.CI, "1");
  const body = batch.stream();
  body.chunk(message(1, "a"));
  body.end();
  assert.equal((await server.next("back")).query.CI, "1");
  assert.deepEqual(told, ["open", "a"]);
});

test("so is one whose arrays come with its end, twice", async (t) => {
  const pass = stopTime(t);
  const { server } = make();
  let back = await server.talk();
  for (let i = 1; i < 3; i++) {
    assert.equal(back.query.CI, "0");
    await pass(5000);
    const body = back.stream();
    body.chunk(message(i, "a"));
    body.end();
    back = await server.next("back");
  }
  assert.equal(back.query.CI, "1");
});

test("handlers of the script's own build: messages, and what is wrong with a token", async () => {
  const { script } = await import("../script.mjs");
  const page = { Request, Response, addEventListener() {} };
  const code = await script("test/small.ts");
  new Function("globalThis", "fetch", code)(page, (...given) => page.fetch(...given));
  for (const outcome of ["messages", "refused", "a page that is none"]) {
    const server = new Server();
    const told = [];
    page.fetch = server.fetch;
    const connection = page.make("token", URL, {
      onopen: () => told.push("open"),
      onmessage: (text) => told.push(text),
      onerror: ({ code, status, reason }) => told.push([code, status, reason]),
      onclose: () => told.push("close"),
    });
    connections.push(connection);
    if (outcome === "refused") (await server.next("page")).answer(401, "Invalid+token.");
    else if (outcome !== "messages") (await server.next("page")).answer(200, PAGE.replaceAll("'g\"sid'", '"\\q"'));
    else {
      (await server.next("page")).answer(200, PAGE.replace("\\x49", "I").replace("'g\"sid'", '"gsid"'));
      const open = await server.next("open");
      assert.equal(open.form.req0_m, '["connect-add-client"]'); // no request of its own
      open.answer(200, '20\n[[0,["c","SID",,8]]]');
      (await server.next("back")).stream().chunk(message(1, "é😀"), message(2, "b"));
      await settle();
      connection.close();
      await server.next("terminate");
    }
    await settle();
    const expected = {
      messages: ["open", "é😀", "b", "close"],
      refused: [["token-invalid", 401, "Invalid+token."], "close"],
      "a page that is none": [["protocol", 0, ""], "close"],
    };
    assert.deepEqual(told, expected[outcome]);
  }
});
