"""WebSocket streams: connections, user streams and market streams."""
