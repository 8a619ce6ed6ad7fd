"""What package registries say, asked as far as it is due."""
