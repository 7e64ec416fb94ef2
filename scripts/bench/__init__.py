"""Compare this provider with three other ways to read the same group: ``python -m scripts.bench``.

Every contender runs in a process of its own and keeps its rows as gzipped JSON lines. The sandbox answers.
"""
