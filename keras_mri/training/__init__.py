"""What every fit needs: the fit, its callbacks, the two players, optimizers, resuming, devices and machines.

Here belongs what systems share while they train. Not here: losses and loops of one system, nor anything that prediction needs.
"""
