"""What the benchmarks share: bodies, the server that writes them, the ways to read them, and the report."""

from common import needed

needed.explain_missing()
