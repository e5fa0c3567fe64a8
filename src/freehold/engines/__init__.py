"""Floor 1: the engines. Each turns a `Prompt` into deltas and knows nothing of HTTP, items, tools or storage."""
