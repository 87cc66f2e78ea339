// Whether all of it is wanted. The script for pages is built without what only options ask for, and without words that
// nobody there reads: build.mjs puts a file in the place of this one.
export const FULL = true as boolean;
