"""Keras' optimizers, but that on several devices what is clipped is the gradient of the whole batch.

Keras clips each device's share before the shares are added up, so two devices would take other steps than one.
"""

import keras

from keras_mri.training import devices


class _ClipsTheWhole:
    def _clip_gradients(self, grads):
        clipped = super()._clip_gradients(devices.added_up(grads))
        # Keras adds up what all devices return.
        return [gradient / devices.count() for gradient in clipped]


@keras.saving.register_keras_serializable("keras_mri")
class Adam(_ClipsTheWhole, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, with the gradient of the whole batch clipped."""


@keras.saving.register_keras_serializable("keras_mri")
class AdamW(_ClipsTheWhole, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`, with the gradient of the whole batch clipped."""
