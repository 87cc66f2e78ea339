// The framing: every case of the project's wire cases, however its body is cut.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { packed } from "./packed.mjs";

const { Framer, utf8 } = await packed("framing");
const { parse } = await packed("literal");
const CASES = JSON.parse(readFileSync(new URL("../../tests/wire/cases.json", import.meta.url), "utf8"));

/** What becomes of a body in these pieces: chunks, arrays, and what is wrong with it. */
function read(pieces, max) {
  const framer = new Framer(max);
  const decode = utf8();
  const chunks = [];
  const arrays = [];
  try {
    for (const piece of pieces)
      decode(piece, (text) =>
        framer._feed(text, (payload) => {
          if (payload.trim()) arrays.push(...parse(payload));
          chunks.push(payload);
        }),
      );
  } catch (error) {
    assert.ok(error instanceof Error);
    return { chunks, arrays, error: "corrupt", inChunk: framer._inChunk() };
  }
  return { chunks, arrays: arrays.map(positive), error: framer._atBoundary() ? null : "truncated" };
}

// What writes wire's cases knows no -0.
const positive = (value) => (Array.isArray(value) ? value.map(positive) : value === 0 ? 0 : value);
const bytesOf = (text) => Uint8Array.from(text, (one) => one.charCodeAt(0));
const encode = (text) => new TextEncoder().encode(text);
const cutAt = (bytes, ...cuts) => [0, ...cuts].map((cut, i) => bytes.subarray(cut, cuts[i] ?? bytes.length));
const inPieces = (bytes, size) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));

for (const { name, body, chunks, arrays, error } of CASES)
  test(`wire case: ${name}`, () => {
    const bytes = bytesOf(body);
    const check = (pieces) => {
      const got = read(pieces);
      assert.equal(got.error, error);
      if (error === "corrupt") return;
      assert.deepEqual(got.chunks, chunks);
      assert.deepEqual(got.arrays, arrays);
    };
    check([bytes]);
    check(inPieces(bytes, 1));
    for (let cut = 1; cut < bytes.length; cut++) check(cutAt(bytes, cut));
    for (let size = 2; size < 20; size++) check(inPieces(bytes, size));
  });

test("all ways to cut characters of every width in three", () => {
  const text = '[[1,"aé€😀\ufeff\ufffd\u2028"]]';
  const bytes = encode(`\ufeff${text.length}\n${text}${text.length}\n${text}`);
  for (let one = 0; one <= bytes.length; one++)
    for (let two = one; two <= bytes.length; two++) {
      const got = read(cutAt(bytes, one, two));
      assert.deepEqual(got, { chunks: [text, text], arrays: [...JSON.parse(text), ...JSON.parse(text)], error: null });
    }
});

test("what stands before the corruption is taken, wherever both are cut", () => {
  const good = '12\n[[1,"a\ufffd😀€"]]';
  for (const [bad, inChunk] of [
    [[0x39, 0x0a, 0x22, 0xff], true],
    [[0x39, 0x0a, 0x22, 0xf0, 0x9f, 0x98, 0x0a], true],
    [[0x31, 0x0a, 0xf0, 0x9f, 0x98, 0x80], true],
    [[0x39, 0xff], false],
    [[...encode("<!DOCTYPE html>")], false],
    [[...encode("99999999\n")], true],
  ]) {
    const bytes = Uint8Array.from([...encode(good.replace("12", "13")), ...bad]);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const got = read(cutAt(bytes, cut));
      assert.equal(got.error, "corrupt");
      assert.equal(got.inChunk, inChunk);
      assert.deepEqual(got.arrays, [[1, "a\ufffd😀€"]]);
    }
  }
});

test("a page without a line end is found out at once", () => {
  assert.equal(read([encode("<html>")]).error, "corrupt");
  assert.equal(read([encode("1".repeat(30))]).error, "corrupt");
});

test("a chunk over the limit is refused before it has come", () => {
  assert.equal(read([encode("11\n[")], 10).error, "corrupt");
  assert.equal(read([encode("10\n[")], 10).error, "truncated");
});

test("a large payload in small pieces takes no longer than it must", () => {
  const payload = JSON.stringify([[1, "é".repeat(1 << 21)]]);
  const started = performance.now();
  const got = read(inPieces(encode(`${payload.length}\n${payload}`), 1000));
  assert.equal(got.chunks[0], payload);
  // Copying it for each piece would take minutes.
  assert.ok(performance.now() - started < 20_000);
});

test("literals: arrays before one that cannot be read are read", () => {
  const got = [];
  assert.throws(() => {
    for (const one of parse("[[1,'a'],[2,[,]],[3,oops],[4]]")) got.push(one);
  }, Error);
  assert.deepEqual(got, [
    [1, "a"],
    [2, [null]],
  ]);
});

test("literals: what is none", () => {
  for (const text of ["", "1", '"a"', "{}", "[1]]", "[1", "[1 2]", "[{a:1}]", '[{"a":1,}]', "[01]", "[.5]", "['a]"])
    assert.throws(() => [...parse(text)], Error, text);
});

test("literals: objects, escapes and names that mean something to JavaScript", () => {
  const text = String.raw`[{'a':undefined,"__proto__":[1,,2],'b':'\x41\u00e9\
\'\"\/\q\0'}]`;
  const [one] = parse(text);
  assert.deepEqual(Object.entries(one), [
    ["a", null],
    ["__proto__", [1, null, 2]],
    ["b", "Aé'\"/q\0"],
  ]);
});
