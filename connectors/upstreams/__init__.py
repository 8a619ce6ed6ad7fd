"""Where entries come from: MCP registries over HTTP, folders of documents."""
