"""Market data: instruments, prices, books, funding rates; read by REST, kept current by the market streams."""
