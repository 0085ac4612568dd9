"""The books: the log's accounts, compared with the exchange's statement."""
