"""Running programs that were written for TensorFlow 1.

    from thalweg import compat
    compat.install()
    import tensorflow as tf      # Thalweg

`thalweg run FILE` does the same for a whole script or notebook.
"""

from thalweg.compat.finder import install, uninstall

__all__ = ["install", "uninstall"]
