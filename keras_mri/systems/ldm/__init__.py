"""ldm: say here what belongs in this room."""
