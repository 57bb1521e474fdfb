"""Style sheets: which URLs they name, and what for."""
