"""What is remembered of turns: chains, conversations, responses in the making, and the store in memory."""
