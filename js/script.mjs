// node script.mjs FILE: prints FILE, and all that it uses, as one small script for pages.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { minify } from "terser";

/** See src/full.ts. */
const notFull = {
  name: "not full",
  setup: (it) => it.onLoad({ filter: /\/src\/full\.ts$/ }, () => ({ contents: "export const FULL = false;" })),
};

/** The script's text. */
export async function script(file) {
  const { outputFiles } = await build({
    absWorkingDir: fileURLToPath(new URL(".", import.meta.url)),
    entryPoints: [file],
    bundle: true,
    write: false,
    format: "iife",
    target: "es2022",
    minify: true,
    mangleProps: /^_/, // nobody else's
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
    plugins: [notFull],
  });
  const { code } = await minify(outputFiles[0].text, {
    ecma: 2022,
    toplevel: true,
    compress: {
      passes: 8,
      keep_fargs: false,
      pure_getters: true,
      unsafe: true,
      unsafe_arrows: true,
      hoist_props: true,
      sequences: false,
    },
  });
  return `${code}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(await script(process.argv[2]));
