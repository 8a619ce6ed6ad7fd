"""The files of an edition, and how to read them. `serve.build` writes editions."""
