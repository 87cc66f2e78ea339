// Builds what is published into dist/: `npm run build`.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL(".", import.meta.url)));
rmSync("dist", { recursive: true, force: true });
const { status } = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc"], { stdio: "inherit" });
// That is the script's alone: script.mjs.
for (const suffix of ["d.ts", "js"]) rmSync(`dist/jsapi.${suffix}`, { force: true });
process.exit(status ?? 1);
