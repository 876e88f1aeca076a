"""Figures beside the peers that a user would pick instead: same octets, same run. `make bench` runs them.

`octets` makes the traffic, `sides` holds what is timed (ours and each peer's), `measure` times them turn by turn, `report` prints the
table and writes it into docs/reference/performance.md. `test_equal_work` proves that the sides of a row compute the same.
"""
