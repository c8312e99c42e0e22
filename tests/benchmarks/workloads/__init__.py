"""What is measured: upgrades of production, start-up, and the development cycle."""
