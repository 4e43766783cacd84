"""A stand-in for ctypes: the types with their sizes, as far as packages look at them when they are imported; no libraries."""
import struct
import sys
import types

SIZES = {'c_bool': '?', 'c_char': 'c', 'c_byte': 'b', 'c_ubyte': 'B', 'c_short': 'h', 'c_ushort': 'H', 'c_int': 'i', 'c_uint': 'I', 'c_long': 'l',
         'c_ulong': 'L', 'c_longlong': 'q', 'c_ulonglong': 'Q', 'c_float': 'f', 'c_double': 'd', 'c_longdouble': 'd', 'c_size_t': 'N', 'c_ssize_t': 'n',
         'c_void_p': 'P', 'c_char_p': 'P', 'c_wchar_p': 'P', 'c_wchar': 'i', 'py_object': 'P', 'c_int8': 'b', 'c_uint8': 'B', 'c_int16': 'h',
         'c_uint16': 'H', 'c_int32': 'i', 'c_uint32': 'I', 'c_int64': 'q', 'c_uint64': 'Q', 'c_time_t': 'q'}
# Functions and bases that may be named when a module is imported; calling them is an error.
NAMED = 'POINTER pointer byref addressof cast string_at wstring_at memmove memset create_string_buffer create_unicode_buffer ' \
        'get_errno set_errno LibraryLoader'.split()
WORDS = 'ctypes cannot call libraries here: WebAssembly code cannot load them'


class _Base:
    def __class_getitem__(cls, length):
        return cls

    @classmethod
    def from_buffer(cls, *args):
        raise OSError(WORDS)

    from_address = from_param = in_dll = from_buffer_copy = from_buffer


class _Simple(_Base):
    _type_ = 'i'

    def __init__(self, value=0):
        self.value = value

    def __repr__(self):
        return '%s(%r)' % (type(self).__name__, self.value)


class Structure(_Base):
    _fields_ = ()

    def __init__(self, *values, **named):
        for (name, *_), value in zip(self._fields_, values):
            setattr(self, name, value)
        for name, value in named.items():
            setattr(self, name, value)


class Union(Structure):
    pass


class Array(_Base):
    pass


class _CFuncPtr(_Base):
    """The type that C functions have, which scipy compares its callbacks with; there are none."""

    def __init__(self, *args):
        raise OSError(WORDS)


class CDLL:
    """The program itself (None), which exports no function to call; there is no other library. threadpoolctl asks it for one."""

    def __init__(self, name=None, *args, **options):
        if name is not None:
            raise OSError('%s: %s' % (name, WORDS))
        self._name = name

    def __getattr__(self, name):
        raise AttributeError('undefined symbol: %s; %s' % (name, WORDS))


class PyDLL(CDLL):
    pass


def sizeof(kind):
    kind = kind if isinstance(kind, type) else type(kind)
    if issubclass(kind, _Simple):
        return struct.calcsize(kind._type_)
    return sum(sizeof(field[1]) for field in kind._fields_)


class _Loader:
    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        raise OSError(WORDS)

    def LoadLibrary(self, name):
        raise OSError('%s: %s' % (name, WORDS))


def _refusing(name):
    def __init__(self, *args, **kwargs):
        raise OSError(WORDS)
    return type(name, (), {'__init__': __init__, '__module__': 'ctypes'})


def install():
    module = types.ModuleType('ctypes', __doc__)
    for name, code in SIZES.items():
        setattr(module, name, type(name, (_Simple,), {'_type_': code, '__module__': 'ctypes'}))
    for name in NAMED:
        setattr(module, name, _refusing(name))
    for kind in (Structure, Union, Array, _CFuncPtr, CDLL, PyDLL):
        kind.__module__ = 'ctypes'
        setattr(module, kind.__name__, kind)
    module.LittleEndianStructure = module.BigEndianStructure = Structure
    module.POINTER = lambda *kinds: module.c_void_p
    module.CFUNCTYPE = module.PYFUNCTYPE = lambda *kinds, **options: type('CFunctionType', (_CFuncPtr,), {})
    module._SimpleCData, module.sizeof, module.alignment, module.ArgumentError = _Simple, sizeof, sizeof, type('ArgumentError', (Exception,), {})
    module.cdll = module.pydll = module.pythonapi = _Loader()
    module.RTLD_LOCAL, module.RTLD_GLOBAL, module.DEFAULT_MODE, module.__path__ = 0, 256, 0, []
    module.util = types.ModuleType('ctypes.util')
    module.util.find_library = lambda name: None
    module.util.dllist = lambda: []
    module.wintypes = None
    del module.wintypes
    sys.modules['ctypes'], sys.modules['ctypes.util'] = module, module.util
