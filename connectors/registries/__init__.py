"""Package registries, and services that know packages: one module per registry."""
