"""What torch's functions become, one module for each kind; importing this package registers all of them."""

from . import arithmetic, attention, channels, composed, layers, pads, pointwise, shapes, space, spectra, time, writes  # noqa: F401
from .registry import HANDLERS  # noqa: F401
