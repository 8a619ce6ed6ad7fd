"""Pull: from an upstream into the warehouse, without losing anything."""
