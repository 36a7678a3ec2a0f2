"""Answers of upstreams that speak the Responses API themselves: passed on, mended where they break."""
