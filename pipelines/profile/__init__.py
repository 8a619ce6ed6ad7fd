"""Profile: ask package registries for what is due, and store what they say."""
