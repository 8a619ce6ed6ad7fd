"""What a walk of an upstream does to the warehouse: merge, history, quarantine, watermark."""
