"""The dialect: numbers, errors, parameters, signatures, rate limits, rows of orders and of ``exchangeInfo``."""
