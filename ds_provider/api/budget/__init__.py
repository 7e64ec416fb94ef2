"""Budgets: one limit of requests for a token, counted in a store that all its tasks reach."""
