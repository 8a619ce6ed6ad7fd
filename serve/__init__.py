"""From verdicts to HTTP: policy, repair, edition, API.

Nothing here calls out. The server process opens editions only, never the warehouse.
"""
