"""The contenders, each written as its own documentation shows, with its own handling of errors.

Each module has ``read(job)``: read one group whole into ``job.folder``, or raise. What it imports, and what it makes
when it is imported, is not measured.
"""
