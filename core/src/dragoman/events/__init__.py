"""What keeps every sequence of events legal, however it ends."""
