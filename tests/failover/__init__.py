"""Failover, judged from outside: sixteen faults, four wires, and what the caller gets of them.

The scenarios and their checks are those of Failover Bench (v0.1, September 2026), which speaks Chat
Completions on both sides; here the caller speaks the Responses API and the upstream four providers' own
wires, so its published scores and those printed here are not the same measurement.

``python -m tests.failover`` runs all of it with the original's times.
"""
