// Builds what is published into dist/: `npm run build`.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL(".", import.meta.url)));
rmSync("dist", { recursive: true, force: true });
const { status } = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc"], { stdio: "inherit" });
if (status !== 0) process.exit(status ?? 1);
for (const name of readdirSync("dist")) {
  const path = `dist/${name}`;
  // That is the script's alone: script.mjs.
  if (name.startsWith("jsapi.")) rmSync(path);
  // Where types are, not where they were; tsc does so in modules alone.
  else if (name.endsWith(".d.ts")) writeFileSync(path, readFileSync(path, "utf8").replaceAll('.ts"', '.js"'));
}
