"""Queries: windows, selections, and the GraphQL operations that they become."""
