"""The commands of the program, one module each; loaded when called."""
