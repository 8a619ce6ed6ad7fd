"""The main job on embedded sample data: stand-ins on loopback, a written history, a fake clock.

Everything here speaks real HTTP and is reached through the ordinary connectors; nothing of the line
knows that it is a demonstration.
"""
