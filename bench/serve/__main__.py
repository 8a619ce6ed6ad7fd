"""`python -m bench.serve`: see `bench.serve.measure`."""

from bench.serve.measure import main

if __name__ == "__main__":
    main()
