"""One module per step: `step(warehouse, …, now=…) -> Report`. No Dagster, no printing."""
