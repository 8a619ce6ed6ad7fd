"""The demonstration: the line on sample data, with stand-ins on loopback, a scripted history and a
fake clock.

The stand-ins speak real HTTP and are reached through the ordinary connectors; no part of the line
knows that it runs in a demonstration.
"""
