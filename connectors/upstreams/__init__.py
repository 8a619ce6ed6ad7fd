"""Where entries come from: MCP registries over HTTP, and folders of documents."""
