"""The outside world over HTTP. httpx, httpcore and tenacity are used here and nowhere else.

Put code here when it asks another machine for something. Keep out what the answer means for us
(`enrich`), how it is stored (`warehouse`) and when it is asked for (`pipelines`).
"""
