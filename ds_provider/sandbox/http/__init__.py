"""The sandbox's endpoint: tokens, limits, faults."""
