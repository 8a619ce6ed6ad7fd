"""What package registries say: references, checks, facts, advisories, downloads, hosts."""
