"""From entries and facts to a live edition: curate, build, gate, switch, index."""
