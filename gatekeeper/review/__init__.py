"""The review queue: reading, filtering and acting on it."""
