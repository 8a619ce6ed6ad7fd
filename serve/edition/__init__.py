"""The files of an edition, and reading them. Writing one is `serve.build`."""
