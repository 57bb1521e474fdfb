"""Real web sites, served by nginx on loopback, and an independent idea of what is on
them."""
