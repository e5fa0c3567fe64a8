"""Floor 1: the wire protocols as pure functions. Wire in, wire out; no I/O."""
