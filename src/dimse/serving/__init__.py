"""A server: a listener, half-open connections, the admission of requestors, and what serves their associations."""
