/* Bounds by 64 bytes at a time. Part of bounds_scan.c, which includes it once for each kind of blocks:
 *
 * B(name)   what `name` is called in that kind
 * B_TARGET  what must stand before functions that use it */

#define block64 B(block)

/* As bounds_scan(), for all but single quotes and backslashes outside of strings: from the block where there
 * is one, bounds_scan_on() goes on. */
B_TARGET static const uint8_t *B(scan)(const uint8_t *at, const uint8_t *end) {
    // The array that `at` is in counts as one.
    uint64_t depth = 1;
    // All ones: the block begins inside a string. 1: its first byte is behind a backslash.
    uint64_t inside = 0, escaped = 0;
    for (; at < end; at += BLOCK_BYTES) {
        block64 now = B(load_some)(at, (size_t)(end - at));
        uint64_t starts = escape_starts(B(bits)(B(is)(now, '\\')) & ~escaped);
        uint64_t quotes = B(bits)(B(is)(now, '"')) & ~(starts << 1 | escaped);
        uint64_t text = running_parity(quotes) ^ inside;
        if ((B(bits)(B(is)(now, '\'')) & ~text) != 0 || (starts & ~text) != 0)
            return bounds_scan_on(at + escaped, end, depth, inside != 0 ? '"' : 0);
        escaped = starts >> 63;
        inside = 0 - (text >> 63);
        // `[` and `{`, `]` and `}` are one bit apart, and nothing else is.
        block64 folded = B(or)(now, B(constant)(0x20));
        uint64_t opening = B(bits)(B(is)(folded, '{')) & ~text;
        uint64_t closing = B(bits)(B(is)(folded, '}')) & ~text;
        uint64_t closes = (uint64_t)__builtin_popcountll(closing);
        if (depth > closes + 1) { // too deep for anything here to matter
            depth += (uint64_t)__builtin_popcountll(opening) - closes;
            continue;
        }
        uint64_t commas = B(bits)(B(is)(now, ',')) & ~text;
        uint64_t found = find_bound(opening, closing, commas, &depth);
        if (found != 0)
            return at + __builtin_ctzll(found);
    }
    return NULL;
}

#undef block64
