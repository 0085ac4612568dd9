"""The books: what the log says of money, held against the exchange's statement."""
