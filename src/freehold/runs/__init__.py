"""Floor 1: the engine-agnostic heart. It lowers an ask to a prompt and folds an engine's deltas into events; no I/O."""
