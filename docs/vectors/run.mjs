// node run.mjs framing-1.json: holds a parser of BrowserChannel bodies against the vectors.
import { readFileSync } from "node:fs";

const LENGTH = /^[ \t\r\n]*([0-9]+)[ \t\r]*\n/;
const BEGUN = /^[ \t\r\n]*[0-9]*[ \t\r]*$/;
const HALF = /[\ud800-\udbff]$/;
const blank = (text) => text.trim() === "";

// Put your own here: feed() pushes payloads and throws where the body is none; eof() throws inside a chunk.
class Parser {
  decoder = new TextDecoder("utf-8", { fatal: true });
  text = "";
  feed(bytes, payloads) {
    this.text += this.decoder.decode(bytes, { stream: true });
    for (let found; (found = LENGTH.exec(this.text)); ) {
      const begin = found[0].length, end = begin + Number(found[1]);
      if (end - begin > 1 << 24) throw new Error("a chunk that long is none");
      if (this.text.length < end) return;
      const payload = this.text.slice(begin, end);
      if (HALF.test(payload)) throw new Error("a length that ends inside a character");
      payloads.push(payload);
      this.text = this.text.slice(end);
    }
    if (!BEGUN.test(this.text)) throw new Error("no length");
  }
  eof() {
    this.decoder.decode();
    if (!blank(this.text)) throw new Error("the body ends inside a chunk");
  }
}

function outcome(body, size) {
  const parser = new Parser(), payloads = [];
  try {
    for (let at = 0; at < body.length; at += size) parser.feed(body.subarray(at, at + size), payloads);
  } catch { return [payloads, "framing"]; }
  try { parser.eof(); } catch { return [payloads, "truncated"]; }
  return [payloads, null];
}

let failed = 0;
const { cases } = JSON.parse(readFileSync(process.argv[2], "utf-8"));
for (const one of cases) {
  const body = Buffer.from(one.body, "hex");
  for (const size of [1, 2, 3, 7, body.length || 1]) {
    const [all, fault] = outcome(body, size), payloads = all.filter((text) => !blank(text));
    const same = JSON.stringify(payloads) === JSON.stringify(one.payloads);
    if (fault !== (one.fault === "literal" ? null : one.fault) || (fault !== "framing" && !same)) {
      failed++;
      console.log(`${one.name}, in pieces of ${size}: ${fault} ${JSON.stringify(payloads)}`);
    }
  }
}
console.log(`${cases.length} cases, ${failed} failures`);
process.exit(failed > 0 ? 1 : 0);
