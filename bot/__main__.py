"""`python -m bot` is `paperwire`."""

from bot.cli import main

main()
