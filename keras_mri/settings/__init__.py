"""What each system can be told: one module each, without Keras, so that `--help` and usage errors come at once."""
