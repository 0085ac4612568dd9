"""What must hold: the invariants, and the measurements that they read, without the bot's code."""
