"""From noise to a sample: schedules of noise, samplers, and their loop."""
