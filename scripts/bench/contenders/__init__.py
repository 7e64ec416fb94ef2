"""The contenders, each written as its own documentation shows, with its own handling of errors.

Each module has ``read(job)``, which reads one group in full into ``job.folder`` or raises. The import of the module is
not measured.
"""
