"""From a card's memory to a plan, and down from there when memory runs out after all.

`architecture` builds the networks without weights, `rehearsal` runs every stage on them, and `tracing` (with
`scratch`, what kernels take on the side) counts what is alive. `planner` chooses by it, `roofline` makes
seconds of operations, `measured` mends them by what was measured here. `choice` is what the adapter asks;
`ladder` and `remembered` are the way down, and the memory of it.
"""
