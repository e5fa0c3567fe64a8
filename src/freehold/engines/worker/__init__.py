"""A model in a process of its own: the contract, the side that serves (`host`) and the side that asks (`client`)."""
