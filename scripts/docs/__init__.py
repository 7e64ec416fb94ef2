"""Extension of the documentation's site: what of the reference is made from the code.

A page holds a line such as ``<!-- generated: operators -->``. When Sphinx reads the page, Markdown takes its place,
made of the provider's description, its docstrings, signatures and schemas: a class that is added is on the page, and
nothing on it can be out of date.
"""
