"""Polls of many groups in one request: idle groups, and new rows."""
