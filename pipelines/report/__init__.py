"""Reports that change nothing: status, explain, history, preview, doctor."""
