"""Pages become parts and a manifest, and parts become rows again. A reader trusts only what a manifest lists."""
