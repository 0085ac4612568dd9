"""Opens what a bot keeps, in its home or in a database that many bots share."""
