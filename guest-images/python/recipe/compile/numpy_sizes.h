/* numpy's sizes have 64 bits (npy_intp), the memory's have 32. What does not fit into the address space must fail as "out of
   memory", not be cut to its lower half: every allocator's argument is clipped to a size that no allocator grants. */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>

static inline size_t npy_clip_size(unsigned long long size) { return size > PTRDIFF_MAX ? SIZE_MAX : (size_t)size; }

#define malloc(n) malloc(npy_clip_size(n))
#define calloc(n, m) calloc(npy_clip_size(n), npy_clip_size(m))
#define realloc(p, n) realloc(p, npy_clip_size(n))
#define PyMem_Malloc(n) PyMem_Malloc(npy_clip_size(n))
#define PyMem_Calloc(n, m) PyMem_Calloc(npy_clip_size(n), npy_clip_size(m))
#define PyMem_Realloc(p, n) PyMem_Realloc(p, npy_clip_size(n))
#define PyMem_RawMalloc(n) PyMem_RawMalloc(npy_clip_size(n))
#define PyMem_RawCalloc(n, m) PyMem_RawCalloc(npy_clip_size(n), npy_clip_size(m))
#define PyMem_RawRealloc(p, n) PyMem_RawRealloc(p, npy_clip_size(n))
#define PyObject_Malloc(n) PyObject_Malloc(npy_clip_size(n))
#define PyObject_Calloc(n, m) PyObject_Calloc(npy_clip_size(n), npy_clip_size(m))
#define PyObject_Realloc(p, n) PyObject_Realloc(p, npy_clip_size(n))

/* PySlice_AdjustIndices and PySlice_GetIndicesEx for 64-bit lengths. */
static inline long long npy_slice_adjust(long long length, long long *start, long long *stop, long long step)
{
    long long low = step < 0 ? -1 : 0, high = step < 0 ? length - 1 : length, *ends[2] = {start, stop};
    for (int i = 0; i < 2; i++) {
        if (*ends[i] < 0 && (*ends[i] += length) < 0) { *ends[i] = low; }
        else if (*ends[i] >= length) { *ends[i] = high; }
    }
    if (step < 0) { return *stop < *start ? (*start - *stop - 1) / -step + 1 : 0; }
    return *start < *stop ? (*stop - *start - 1) / step + 1 : 0;
}

static inline int npy_slice_indices(PyObject *slice, long long length, long long *start, long long *stop, long long *step,
                                    long long *steps)
{
    Py_ssize_t ends[3];
    if (PySlice_Unpack(slice, &ends[0], &ends[1], &ends[2]) < 0) { return -1; }
    long long *wide[2] = {start, stop};
    for (int i = 0; i < 2; i++) {       /* an open end is the largest or smallest index of the narrow type */
        *wide[i] = ends[i] == PY_SSIZE_T_MAX ? INT64_MAX : ends[i] == PY_SSIZE_T_MIN ? INT64_MIN : ends[i];
    }
    *step = ends[2];
    *steps = npy_slice_adjust(length, start, stop, *step);
    return 0;
}
