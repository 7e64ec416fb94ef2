"""The API's schema, executed over the world."""
