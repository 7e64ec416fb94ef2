"""One group's pages read in parallel, from the cursors that light probes show."""
