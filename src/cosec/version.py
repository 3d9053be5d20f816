"""The version of the package."""

__version__ = "0.1.0"
"""As in ``pyproject.toml``; studies, manifests and reports record it."""
