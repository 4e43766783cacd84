"""Persistent collections under the names of rpds-py, for `referencing` and `jsonschema`: each change makes a copy.

The original is Rust. What is kept in these here are schemas' names, tens to hundreds of them, so that copying is quick enough.
"""
from collections.abc import Mapping, Set

__all__ = ['HashTrieMap', 'HashTrieSet', 'List', 'Queue', 'Stack']


class HashTrieMap(Mapping):
    __slots__ = ('_items',)

    def __init__(self, value=(), **kwds):
        self._items = dict(value, **kwds)

    @classmethod
    def _of(cls, items):
        new = cls.__new__(cls)
        new._items = items
        return new

    @classmethod
    def convert(cls, value):
        return value if isinstance(value, cls) else cls(value)

    @classmethod
    def fromkeys(cls, keys, value=None):
        return cls._of(dict.fromkeys(keys, value))

    def __getitem__(self, key):
        return self._items[key]

    def __contains__(self, key):
        return key in self._items

    def __iter__(self):
        return iter(self._items)

    def __len__(self):
        return len(self._items)

    def __hash__(self):
        return hash(frozenset(self._items.items()))

    def __repr__(self):
        return 'HashTrieMap({%s})' % ', '.join('%r: %r' % i for i in self._items.items())

    def __reduce__(self):
        return type(self), (self._items,)

    def insert(self, key, value):
        return self._of({**self._items, key: value})

    def update(self, *maps, **kwds):
        items = dict(self._items)
        for m in maps:
            items.update(m)
        items.update(kwds)
        return self._of(items)

    def discard(self, key):
        return self.remove(key) if key in self._items else self

    def remove(self, key):
        items = dict(self._items)
        del items[key]
        return self._of(items)


class HashTrieSet(Set):
    __slots__ = ('_items',)

    def __init__(self, value=()):
        self._items = frozenset(value)

    def __contains__(self, value):
        return value in self._items

    def __iter__(self):
        return iter(self._items)

    def __len__(self):
        return len(self._items)

    def __hash__(self):
        return hash(self._items)

    def __repr__(self):
        return 'HashTrieSet({%s})' % ', '.join(map(repr, self._items))

    def __reduce__(self):
        return type(self), (list(self._items),)

    def insert(self, value):
        return type(self)(self._items | {value})

    def discard(self, value):
        return type(self)(self._items - {value})

    def remove(self, value):
        if value not in self._items:
            raise KeyError(value)
        return self.discard(value)

    def update(self, *iterables):
        return type(self)(self._items.union(*iterables))


class _Sequence:
    __slots__ = ('_items',)

    def __init__(self, *values):
        self._items = tuple(values[0]) if len(values) == 1 and hasattr(values[0], '__iter__') else values

    @classmethod
    def _of(cls, items):
        new = cls.__new__(cls)
        new._items = tuple(items)
        return new

    def __iter__(self):
        return iter(self._items)

    def __len__(self):
        return len(self._items)

    def __eq__(self, other):
        return type(other) is type(self) and self._items == other._items

    def __hash__(self):
        return hash(self._items)

    def __repr__(self):
        return '%s([%s])' % (type(self).__name__, ', '.join(map(repr, self._items)))

    def __reduce__(self):
        return type(self), (list(self._items),)


class List(_Sequence):
    """Grows and shrinks at its front."""

    __slots__ = ()

    @property
    def first(self):
        if not self._items:
            raise IndexError('empty list has no first element')
        return self._items[0]

    @property
    def rest(self):
        return self._of(self._items[1:])

    def push_front(self, value):
        return self._of((value, *self._items))

    drop_first = rest.fget


class Stack(_Sequence):
    __slots__ = ()

    def push(self, value):
        return self._of((value, *self._items))

    def pop(self):
        return self._of(self._items[1:])

    def peek(self):
        return self._items[0]


class Queue(_Sequence):
    __slots__ = ()

    @property
    def is_empty(self):
        return not self._items

    def enqueue(self, value):
        return self._of((*self._items, value))

    def dequeue(self):
        return self._of(self._items[1:])

    def peek(self):
        return self._items[0]
