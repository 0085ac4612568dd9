"""The composition root: the only place that knows ports and adapters, and wires them."""
