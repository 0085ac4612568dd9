"""The engine: reads, decides, executes and records. It imports ports, never an adapter."""
