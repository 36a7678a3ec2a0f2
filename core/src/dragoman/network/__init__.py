"""The only room that waits and talks to others: drivers, sync and async, and their time limits."""
