"""The two-leg machine: states, actions, orders, quantities, and the quality of an execution."""
