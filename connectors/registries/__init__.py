"""Package registries and what says something of packages: one module per registry."""
