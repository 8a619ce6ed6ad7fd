"""The server process: the ASGI application, connections, access, metrics."""
