"""What every call leaves behind, and who hears of it."""
