"""From an upstream into the warehouse, losing nothing."""
