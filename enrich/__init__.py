"""What package registries say, as pure functions: purls, profiles, signals, what is due.

Nothing here opens a socket, a file or the warehouse: bytes and rows come in, values go out.
"""
