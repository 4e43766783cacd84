build_time_vars = {'TZPATH': '', 'SOABI': '', 'EXT_SUFFIX': '.so', 'Py_GIL_DISABLED': 0, 'Py_DEBUG': 0}
