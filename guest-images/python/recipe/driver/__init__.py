"""The build driver of the Python image: pinned sources, steps with a cache, compiling, modules to link."""
