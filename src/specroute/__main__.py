"""``python -m specroute`` is the command line."""

from specroute.cli import main

main()
