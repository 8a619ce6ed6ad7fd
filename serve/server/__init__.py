"""How it is answered: the ASGI application, connections, access, metrics."""
