"""Settings, declared beside the fields that hold them."""
