"""Requests: transport, signing, nonces, rate limits, retries, error codes, and streams that reconnect."""
