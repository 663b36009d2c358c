"""n2a: say here what belongs in this room."""
