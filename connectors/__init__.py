"""The outside world over HTTP. Only this package imports httpx, httpcore and tenacity.

Code that asks another machine for something belongs here. What an answer means for us belongs in
`enrich`, how it is stored in `warehouse`, and when it is asked for in `pipelines`.
"""
