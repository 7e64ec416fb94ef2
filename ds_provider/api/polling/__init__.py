"""Many groups asked in one request: which hold nothing, what is new in them."""
