"""Requests and responses over HTTP: sent, classified, sent again."""
