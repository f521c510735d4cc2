"""The other side of the service: clients for the command line, the demo and load tests, and a health probe."""
