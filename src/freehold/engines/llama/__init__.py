"""The embedded llama.cpp engine: `engine` runs in our process, `model` in the worker process beside it."""
