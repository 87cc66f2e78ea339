// worker.mjs URL TOKEN COUNT: a worker takes so many messages of a channel; its owner prints them.
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { workerData: process.argv.slice(2).map((one) => JSON.parse(one)) });
  worker.on("message", (got) => console.log(JSON.stringify(got)));
} else {
  const { TalkChannel } = await import("@gaechannel/client");
  const [url, token, count] = workerData;
  const got = [];
  for await (const text of new TalkChannel(token, { url })) if (got.push(text) === count) break;
  parentPort.postMessage(got);
}
