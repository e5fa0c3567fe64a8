"""Floor 0: items, deltas, events, prompts, ports and errors. Data and Protocols only; no I/O."""
