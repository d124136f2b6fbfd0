"""What a user decides: frozen dataclasses, and the one table of options that command lines are made from."""
