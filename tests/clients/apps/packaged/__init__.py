"""A package, run as a module: `modal run -m packaged.app`."""
