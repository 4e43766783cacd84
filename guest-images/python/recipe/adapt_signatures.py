#!/usr/bin/env python3
"""Give every C function that Python calls through a slot the signature the slot calls it with.

usage: adapt_signatures.py IN.wasm OUT.wasm [--check]

C code likes to register a function of one parameter where the interpreter will pass two, and to silence the compiler
with a cast to PyCFunction. Native CPUs do not mind. WebAssembly compares types at every indirect call and traps with
"indirect call type mismatch". This pass runs after the linker and mends the whole class:

1. It finds the tables that Python reads function pointers from, by their layout in the data segments: PyMethodDef,
   PyGetSetDef, PyType_Spec with its slots, static PyTypeObject with its number, sequence, mapping, async and buffer
   methods, and PyModuleDef. (A function pointer in wasm is an index into the one function table.)
2. It compares the type of each function with what the flags or the slot demand.
3. For each mismatch it appends a thunk with the demanded type, which drops the parameters that the function does not
   take and calls it; it grows the function table by one entry, and writes the new index into the data. The function
   itself, and every other use of it, stay as they are.

No instruction is changed, and thunks hold only local.get, i32.const, call and drop, so "the table is never written,
the memory is the whole state" stays true. Every adapted name is printed; so is what could not be adapted. With --check
nothing is written and the exit status is 1 if anything would be.
"""
import re
import sys
from array import array
from collections import namedtuple

Signature = namedtuple('Signature', 'params results')       # tuples of value types
Use = namedtuple('Use', 'address label wanted')             # a data word that holds a function pointer
I32 = 0x7F


def sig(params, results=1):
    return Signature((I32,) * params, (I32,) * results)


# ---- WebAssembly, as much of it as the pass needs ----

def read_leb(b, p):
    """An unsigned (or, where it is small and positive, signed) LEB128 number and the position behind it."""
    value = shift = 0
    while True:
        byte = b[p]
        p += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, p


def leb(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def signed_leb(n):
    out = bytearray()
    while True:
        byte, n = n & 0x7F, n >> 7
        if n == (-1 if byte & 0x40 else 0):
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)


TYPE, IMPORT, FUNCTION, TABLE, ELEMENT, CODE, DATA = 1, 2, 3, 4, 9, 10, 11


class Module:
    """A linked module: one table filled by one active segment, active data segments, no name section needed."""

    def __init__(self, wasm):
        if wasm[:8] != b'\0asm\1\0\0\0':
            raise SystemExit('not a core WebAssembly module')
        self.sections, p = [], 8
        while p < len(wasm):
            kind = wasm[p]
            size, p = read_leb(wasm, p + 1)
            self.sections.append([kind, wasm[p:p + size]])
            p += size
        self._types()
        self._functions()
        self._table()
        self._data()

    def section(self, kind):
        return next((s[1] for s in self.sections if s[0] == kind), b'\0')

    def _types(self):
        b = self.section(TYPE)
        count, p = read_leb(b, 0)
        self.types = []
        for _ in range(count):
            if b[p] != 0x60:
                raise SystemExit('a type that is no function type: the pass does not know how to count on')
            params, p = self._value_types(b, p + 1)
            results, p = self._value_types(b, p)
            self.types.append(Signature(params, results))

    @staticmethod
    def _value_types(b, p):
        n, p = read_leb(b, p)
        return tuple(b[p:p + n]), p + n

    def _functions(self):
        """The type index of every function, imported ones first."""
        self.function_types = []
        b = self.section(IMPORT)
        count, p = read_leb(b, 0)
        for _ in range(count):
            for _ in range(2):
                n, p = read_leb(b, p)
                p += n
            if b[p] != 0:
                raise SystemExit('an import that is no function')
            type_index, p = read_leb(b, p + 1)
            self.function_types.append(type_index)
        b = self.section(FUNCTION)
        count, p = read_leb(b, 0)
        for _ in range(count):
            type_index, p = read_leb(b, p)
            self.function_types.append(type_index)

    def _table(self):
        b = self.section(TABLE)
        if b[:2] != b'\x01\x70' or b[2] != 1:
            raise SystemExit('expected one funcref table with a maximum')
        smallest, p = read_leb(b, 3)
        largest, p = read_leb(b, p)
        b = self.section(ELEMENT)
        count, p = read_leb(b, 0)
        if count != 1 or b[p] != 0 or b[p + 1] != 0x41:
            raise SystemExit('expected one active element segment of function indices')
        self.table_base, p = read_leb(b, p + 2)
        n, p = read_leb(b, p + 1)
        self.table = []
        for _ in range(n):
            index, p = read_leb(b, p)
            self.table.append(index)
        if not smallest == largest == self.table_base + n:
            raise SystemExit('the element segment does not fill the table')

    def _data(self):
        """Segments as (address, bytearray), and how each is stored."""
        b = self.section(DATA)
        count, p = read_leb(b, 0)
        self.segments = []
        for _ in range(count):
            if b[p] != 0 or b[p + 1] != 0x41:
                raise SystemExit('expected active data segments with constant addresses')
            address, p = read_leb(b, p + 2)
            n, p = read_leb(b, p + 1)
            self.segments.append((address, bytearray(b[p:p + n])))
            p += n

    def signature(self, pointer):
        """The type of the function behind a function pointer; None for what is no function pointer."""
        slot = pointer - self.table_base
        if 0 <= slot < len(self.table):
            return self.types[self.function_types[self.table[slot]]]

    def add_functions(self, signatures, bodies):
        """Append functions; returns their function pointers."""
        for s in signatures:
            if s not in self.types:
                self.types.append(s)
        first = len(self.function_types)
        self.function_types += [self.types.index(s) for s in signatures]
        pointers = [self.table_base + len(self.table) + i for i in range(len(bodies))]
        self.table += range(first, first + len(bodies))
        old = self.section(CODE)
        count, p = read_leb(old, 0)
        self._replace(CODE, leb(count + len(bodies)) + old[p:] + b''.join(leb(len(x)) + x for x in bodies))
        return pointers

    def _replace(self, kind, content):
        for s in self.sections:
            if s[0] == kind:
                s[1] = content

    def encode(self):
        imported, _ = read_leb(self.section(IMPORT), 0)
        size = leb(self.table_base + len(self.table))
        values = lambda v: leb(len(v)) + bytes(v)
        vector = lambda items: leb(len(items)) + b''.join(items)
        self._replace(TYPE, vector([b'\x60' + values(t.params) + values(t.results) for t in self.types]))
        self._replace(FUNCTION, vector([leb(t) for t in self.function_types[imported:]]))
        self._replace(TABLE, b'\x01\x70\x01' + size + size)
        self._replace(ELEMENT, b'\x01\x00\x41' + signed_leb(self.table_base) + b'\x0b' + vector([leb(i) for i in self.table]))
        self._replace(DATA, vector([b'\0\x41' + signed_leb(a) + b'\x0b' + leb(len(d)) + bytes(d) for a, d in self.segments]))
        return b'\0asm\1\0\0\0' + b''.join(bytes([k]) + leb(len(c)) + c for k, c in self.sections)


class Data:
    """The data segments as one stretch of memory, read by address. Gaps and what lies behind read as zero."""

    def __init__(self, segments):
        self.segments = segments
        self.start = min(a for a, _ in segments) & ~3
        self.end = max(a + len(d) for a, d in segments) + 3 & ~3
        self.bytes = bytearray(self.end - self.start)
        for a, d in segments:
            self.bytes[a - self.start:a - self.start + len(d)] = d
        self.words = array('I', bytes(self.bytes))
        if sys.byteorder == 'big':
            self.words.byteswap()

    def word(self, address):
        i = (address - self.start) >> 2
        return self.words[i] if 0 <= i < len(self.words) else 0

    def holds(self, address):
        return self.start <= address < self.end

    def text(self, address, limit=200):
        """The C string at an address, '' if there is none in readable ASCII."""
        p = address - self.start
        if not 0 <= p < len(self.bytes):
            return ''
        stop = self.bytes.find(0, p, p + limit)
        raw = self.bytes[p:stop] if stop >= 0 else b''
        return raw.decode('ascii') if raw.isascii() else ''

    def store(self, address, value):
        for a, d in self.segments:
            if a <= address and address + 4 <= a + len(d):
                d[address - a:address - a + 4] = value.to_bytes(4, 'little')
                return
        raise SystemExit('address %#x is in no data segment' % address)


# ---- what Python demands ----

VARARGS, KEYWORDS, NOARGS, O, CLASS, STATIC, COEXIST, FASTCALL, METHOD = 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x200
METHODS = {NOARGS: 2, O: 2, VARARGS: 2, VARARGS | KEYWORDS: 3, FASTCALL: 3, FASTCALL | KEYWORDS: 4,
           METHOD | FASTCALL | KEYWORDS: 5}
METHODS = {calling | binding: sig(n) for calling, n in METHODS.items()
           for binding in (0, CLASS, STATIC, COEXIST, CLASS | COEXIST, STATIC | COEXIST)}
# The first word of a PyMemberDef after its name is a small type code, which must not be taken for a function pointer.
LAST_MEMBER_TYPE = 21

UNARY, BINARY, TERNARY, VOID = sig(1), sig(2), sig(3), sig(1, 0)
NUMBER = dict(nb_add=BINARY, nb_subtract=BINARY, nb_multiply=BINARY, nb_remainder=BINARY, nb_divmod=BINARY,
              nb_power=TERNARY, nb_negative=UNARY, nb_positive=UNARY, nb_absolute=UNARY, nb_bool=UNARY, nb_invert=UNARY,
              nb_lshift=BINARY, nb_rshift=BINARY, nb_and=BINARY, nb_xor=BINARY, nb_or=BINARY, nb_int=UNARY,
              nb_reserved=None, nb_float=UNARY, nb_inplace_add=BINARY, nb_inplace_subtract=BINARY,
              nb_inplace_multiply=BINARY, nb_inplace_remainder=BINARY, nb_inplace_power=TERNARY,
              nb_inplace_lshift=BINARY, nb_inplace_rshift=BINARY, nb_inplace_and=BINARY, nb_inplace_xor=BINARY,
              nb_inplace_or=BINARY, nb_floor_divide=BINARY, nb_true_divide=BINARY, nb_inplace_floor_divide=BINARY,
              nb_inplace_true_divide=BINARY, nb_index=UNARY, nb_matrix_multiply=BINARY,
              nb_inplace_matrix_multiply=BINARY)
SEQUENCE = dict(sq_length=UNARY, sq_concat=BINARY, sq_repeat=BINARY, sq_item=BINARY, was_sq_slice=None,
                sq_ass_item=TERNARY, was_sq_ass_slice=None, sq_contains=BINARY, sq_inplace_concat=BINARY,
                sq_inplace_repeat=BINARY)
MAPPING = dict(mp_length=UNARY, mp_subscript=BINARY, mp_ass_subscript=TERNARY)
ASYNC = dict(am_await=UNARY, am_aiter=UNARY, am_anext=UNARY, am_send=TERNARY)
BUFFER = dict(bf_getbuffer=TERNARY, bf_releasebuffer=sig(2, 0))
POINTER, NUMBER_FIELD = 'pointer', 'number'
TYPE_OBJECT = dict(tp_name=POINTER, tp_basicsize=NUMBER_FIELD, tp_itemsize=NUMBER_FIELD, tp_dealloc=VOID,
                   tp_vectorcall_offset=NUMBER_FIELD, tp_getattr=BINARY, tp_setattr=TERNARY, tp_as_async=ASYNC,
                   tp_repr=UNARY, tp_as_number=NUMBER, tp_as_sequence=SEQUENCE, tp_as_mapping=MAPPING, tp_hash=UNARY,
                   tp_call=TERNARY, tp_str=UNARY, tp_getattro=BINARY, tp_setattro=TERNARY, tp_as_buffer=BUFFER,
                   tp_flags=NUMBER_FIELD, tp_doc=POINTER, tp_traverse=TERNARY, tp_clear=UNARY, tp_richcompare=TERNARY,
                   tp_weaklistoffset=NUMBER_FIELD, tp_iter=UNARY, tp_iternext=UNARY, tp_methods=POINTER,
                   tp_members=POINTER, tp_getset=POINTER, tp_base=POINTER, tp_dict=POINTER, tp_descr_get=TERNARY,
                   tp_descr_set=TERNARY, tp_dictoffset=NUMBER_FIELD, tp_init=TERNARY, tp_alloc=BINARY, tp_new=TERNARY,
                   tp_free=VOID, tp_is_gc=UNARY, tp_bases=POINTER, tp_mro=POINTER, tp_cache=POINTER,
                   tp_subclasses=NUMBER_FIELD, tp_weaklist=POINTER, tp_del=VOID, tp_version_tag=NUMBER_FIELD,
                   tp_finalize=VOID, tp_vectorcall=sig(4))
# Slot numbers of PyType_Slot, in the order of Include/typeslots.h.
SLOTS = {n: name for n, name in enumerate('''bf_getbuffer bf_releasebuffer mp_ass_subscript mp_length mp_subscript nb_absolute
nb_add nb_and nb_bool nb_divmod nb_float nb_floor_divide nb_index nb_inplace_add nb_inplace_and nb_inplace_floor_divide
nb_inplace_lshift nb_inplace_multiply nb_inplace_or nb_inplace_power nb_inplace_remainder nb_inplace_rshift
nb_inplace_subtract nb_inplace_true_divide nb_inplace_xor nb_int nb_invert nb_lshift nb_multiply nb_negative nb_or
nb_positive nb_power nb_remainder nb_rshift nb_subtract nb_true_divide nb_xor sq_ass_item sq_concat sq_contains
sq_inplace_concat sq_inplace_repeat sq_item sq_length sq_repeat tp_alloc tp_base tp_bases tp_call tp_clear tp_dealloc
tp_del tp_descr_get tp_descr_set tp_doc tp_getattr tp_getattro tp_hash tp_init tp_is_gc tp_iter tp_iternext tp_methods
tp_new tp_repr tp_richcompare tp_setattr tp_setattro tp_str tp_traverse tp_members tp_getset tp_free
nb_matrix_multiply nb_inplace_matrix_multiply am_await am_aiter am_anext tp_finalize am_send tp_vectorcall
tp_token'''.split(), 1)}
SLOT_SIGNATURES = {**NUMBER, **SEQUENCE, **MAPPING, **ASYNC, **BUFFER,
                   **{k: v for k, v in TYPE_OBJECT.items() if isinstance(v, Signature)}}
MODULE_SLOTS = {1: ('create', BINARY), 2: ('exec', UNARY)}
IMMORTAL = 0x3FFFFFFF               # the reference count of a static object where a word has 32 bits
IDENTIFIER = re.compile(r'[A-Za-z_]\w*\Z')
DOTTED = re.compile(r'[A-Za-z_][\w.<>]*\Z')


class Finder:
    """Finds the uses of function pointers in Python's static tables."""

    def __init__(self, module, data):
        self.module, self.data = module, data

    def uses(self):
        d = self.data
        words = d.words
        for i in range(len(words) - 4):
            name, address = words[i], d.start + 4 * i
            if name == IMMORTAL:
                yield from self.type_object(address)
                yield from self.module_def(address)
            elif d.start <= name < d.end:
                if words[i + 2] in METHODS:
                    yield from self.method(address)
                yield from self.getset(address)
                yield from self.type_spec(address)

    def function(self, pointer):
        """True for a function pointer that may be in a slot: only 32-bit parameters, at most one result."""
        s = self.module.signature(pointer)
        return s is not None and set(s.params + s.results) <= {I32} and len(s.params) <= 6

    def nothing_or_data(self, *addresses):
        return all(a == 0 or self.data.holds(a) for a in addresses)

    def method(self, a):
        name, function, flags, doc = (self.data.word(a + 4 * i) for i in range(4))
        if (function > LAST_MEMBER_TYPE and self.function(function) and self.nothing_or_data(doc)
                and IDENTIFIER.match(self.data.text(name)) and self._ends_like_methods(a)):
            yield Use(a + 4, 'method %s' % self.data.text(name), METHODS[flags])

    def _ends_like_methods(self, a):
        """Entries of 4 words follow each other until one of zeros. (A lone PyMethodDef is not looked at: it comes from
        Cython or from inside CPython, which get their signatures right.)"""
        for _ in range(2000):
            a += 16
            name, function, flags, doc = (self.data.word(a + 4 * i) for i in range(4))
            if name == 0:
                return function == flags == doc == 0
            if flags not in METHODS or not self.function(function) or not self.nothing_or_data(doc):
                return False
        return False

    def getset(self, a):
        name, get, set_, doc = (self.data.word(a + 4 * i) for i in range(4))
        if not get and not set_ or 0 < get <= LAST_MEMBER_TYPE or set_ and not self.function(set_):
            return
        if get and not self.function(get) or not self.nothing_or_data(doc) or not IDENTIFIER.match(self.data.text(name)):
            return
        if not get or not self.module.signature(get).params or 0 < set_ <= LAST_MEMBER_TYPE \
                or set_ in METHODS and self.module.signature(set_) != sig(3):
            return                                              # the flags of a method or the numbers of a member
        if self._is_head(a) or not self._ends_like_getset(a):
            return
        yield Use(a + 4, 'getter %s' % self.data.text(name), sig(2))
        if set_:
            yield Use(a + 8, 'setter %s' % self.data.text(name), sig(3))

    def _is_head(self, a):
        """Whether this name belongs to a static PyTypeObject or PyModuleDef."""
        return IMMORTAL in (self.data.word(a - 12), self.data.word(a - 20))

    def _ends_like_getset(self, a):
        """Entries of 5 words follow each other until one without a name: few other tables of names do."""
        for _ in range(500):
            a += 20
            name, get, set_, doc = (self.data.word(a + 4 * i) for i in range(4))
            if name == 0:
                return get == set_ == doc == 0
            if not self.data.text(name) or not all(x == 0 or self.function(x) for x in (get, set_)) or not self.nothing_or_data(doc):
                return False
        return False

    def slots(self, a, label):
        """A PyType_Slot array, as a list of uses; None if it is none."""
        found = []
        for _ in range(100):
            number, value = self.data.word(a), self.data.word(a + 4)
            if number == 0:
                return found if value == 0 and found else None
            if number not in SLOTS:
                return None
            wanted = SLOT_SIGNATURES.get(SLOTS[number])
            if wanted and value:
                if not self.function(value):
                    return None
                found.append(Use(a + 4, '%s.%s' % (label, SLOTS[number]), wanted))
            a += 8
        return None

    def type_spec(self, a):
        name, size, item_size, _, slots = (self.data.word(a + 4 * i) for i in range(5))
        if self._is_head(a):
            return
        if (size < 1 << 20 or size >> 31) and item_size < 1 << 12 and self.data.holds(slots) and slots % 4 == 0:
            if DOTTED.match(self.data.text(name)):
                yield from self.slots(slots, self.data.text(name)) or ()

    def type_object(self, a):
        fields = a + 12
        name = self.data.text(self.data.word(fields))
        if not DOTTED.match(name) or not self.nothing_or_data(self.data.word(a + 4)):
            return
        found = []
        for i, (field, kind) in enumerate(TYPE_OBJECT.items()):
            address = fields + 4 * i
            value = self.data.word(address)
            if kind is NUMBER_FIELD or not value:
                continue
            if isinstance(kind, Signature):
                if not self.function(value):
                    return
                found.append(Use(address, '%s.%s' % (name, field), kind))
            elif not self.data.holds(value):
                if kind is POINTER or value % 4:
                    return
            elif isinstance(kind, dict):
                for j, (part, wanted) in enumerate(kind.items()):
                    if wanted and self.function(self.data.word(value + 4 * j)):
                        found.append(Use(value + 4 * j, '%s.%s' % (name, part), wanted))
        yield from found

    def module_def(self, a):
        """PyModuleDef: a head of five words, name, doc, size, methods, slots, traverse, clear, free."""
        w = [self.data.word(a + 4 * i) for i in range(13)]
        name = self.data.text(w[5])
        if not DOTTED.match(name) or not self.nothing_or_data(w[1], w[6], w[8], w[9]) or any(w[2:5]):
            return
        for i, field, wanted in ((10, 'm_traverse', TERNARY), (11, 'm_clear', UNARY), (12, 'm_free', VOID)):
            if w[i] and self.function(w[i]):
                yield Use(a + 4 * i, '%s.%s' % (name, field), wanted)
        slot = w[9]
        while slot and self.data.word(slot):
            number, value = self.data.word(slot), self.data.word(slot + 4)
            if number in MODULE_SLOTS and self.function(value):
                yield Use(slot + 4, '%s.%s' % (name, MODULE_SLOTS[number][0]), MODULE_SLOTS[number][1])
            slot += 8


# ---- the cure ----

def thunk(function, has, wanted):
    """A body of type `wanted` that calls a function of type `has`."""
    body = b'\0' + b''.join(b'\x20' + leb(i) for i in range(len(has.params)))   # local.get i
    body += b'\x10' + leb(function)                                             # call
    if has.results and not wanted.results:
        body += b'\x1a'                                                         # drop
    elif wanted.results and not has.results:
        body += b'\x41\0'                                                       # i32.const 0
    return body + b'\x0b'


def is_curable(use, has):
    """A missing result can only be made up where 0 means success; a missing argument never."""
    zero_is_success = re.search(r'\.(tp_clear|tp_traverse|m_clear|m_traverse)$', use.label)
    return len(has.params) <= len(use.wanted.params) and bool(has.results or not use.wanted.results or zero_is_success)


def describe(s):
    return '(%s)%s' % (', '.join(['i32'] * len(s.params)), ' -> i32' if s.results else '')


def adapt(module):
    """Adapt the module in place; returns the adapted uses and those that cannot be adapted, with their types."""
    data = Data(module.segments)
    wrong, seen = [], set()
    checked = 0
    for use in Finder(module, data).uses():
        has = module.signature(data.word(use.address))
        if use.address in seen:
            continue
        seen.add(use.address)
        checked += 1
        if has != use.wanted:
            wrong.append((use, has))
    curable = [(u, h) for u, h in wrong if is_curable(u, h)]
    hopeless = [x for x in wrong if x not in curable]
    thunks = {}                                     # (function pointer, wanted type) -> body
    for use, has in curable:
        pointer = data.word(use.address)
        thunks[pointer, use.wanted] = thunk(module.table[pointer - module.table_base], has, use.wanted)
    pointers = module.add_functions([wanted for _, wanted in thunks], list(thunks.values()))
    new = dict(zip(thunks, pointers))
    for use, has in curable:
        data.store(use.address, new[data.word(use.address), use.wanted])
    return checked, curable, hopeless, len(thunks)


def main():
    arguments = [a for a in sys.argv[1:] if a != '--check']
    if len(arguments) != 2 and '--check' not in sys.argv:
        raise SystemExit(__doc__)
    with open(arguments[0], 'rb') as f:
        module = Module(f.read())
    checked, curable, hopeless, thunks = adapt(module)
    for use, has in curable:
        print('adapted  %-50s %s, called as %s' % (use.label, describe(has), describe(use.wanted)))
    for use, has in hopeless:
        print('LEFT     %-50s %s, called as %s' % (use.label, describe(has), describe(use.wanted)))
    print('%d function pointers checked, %d adapted with %d thunks, %d left' % (checked, len(curable), thunks, len(hopeless)))
    if '--check' in sys.argv:
        raise SystemExit(1 if curable or hopeless else 0)
    with open(arguments[1], 'wb') as f:
        f.write(module.encode())


if __name__ == '__main__':
    main()
