"""One budget of requests for a token, counted where all its tasks reach it."""
