// The modules of the packed package: those that pytest has unpacked, else those that `npm run build` has made.
import { pathToFileURL } from "node:url";

const folder = process.env.GAECHANNEL_PACKED ?? new URL("../dist", import.meta.url).pathname;

/** A module of the package, by its file's name without an extension. */
export const packed = (name) => import(pathToFileURL(`${folder}/${name}.js`).href);
