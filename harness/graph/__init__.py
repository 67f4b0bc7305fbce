"""Accept, run and count networks as computational graphs: what one computes, and what that costs.

A graph (`harness.values.graph`) comes from a process that ran a student's code, so nothing in it is believed: `limits`
checks it, `replay` is its only reader that computes, `cost` and `reachable` count. An operator is known when
`operators` has a row for it; this room runs no other, and no code that somebody handed in.
"""
