"""One call, from its arguments to its record: which attempts are made, and what the caller is told."""
