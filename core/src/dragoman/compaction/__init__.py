"""Conversations made short: by the upstream, or by a summary of the same model."""
