/* cramjam._snappy: Snappy blocks and the checksum of its framing, for stand_ins/cramjam. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <snappy-c.h>

static PyObject *Error;

static PyObject *
compress(PyObject *self, PyObject *args)
{
    Py_buffer in;
    if (!PyArg_ParseTuple(args, "y*:compress", &in))
        return NULL;
    PyObject *out = NULL;
    /* Snappy's own formula, which wraps at 4 GiB here: lengths are size_t. */
    unsigned long long room = 32 + (unsigned long long)in.len + in.len / 6;
    if (room > PY_SSIZE_T_MAX) {
        PyErr_NoMemory();
        goto done;
    }
    size_t length = (size_t)room;
    out = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (!out)
        goto done;
    if (snappy_compress(in.buf, (size_t)in.len, PyBytes_AS_STRING(out), &length) != SNAPPY_OK) {
        Py_CLEAR(out);
        PyErr_SetString(Error, "snappy: cannot compress");
        goto done;
    }
    _PyBytes_Resize(&out, (Py_ssize_t)length);
done:
    PyBuffer_Release(&in);
    return out;
}

/* The length that a block claims; a claim beyond what its bytes can hold is refused before memory is asked for. */
static int
claimed(const Py_buffer *in, size_t *length)
{
    if (snappy_uncompressed_length(in->buf, (size_t)in->len, length) != SNAPPY_OK) {
        PyErr_SetString(Error, "snappy: the block has no valid length");
        return -1;
    }
    /* A copy of three bytes makes at most 64. */
    if (*length / 64 > (size_t)in->len || *length > PY_SSIZE_T_MAX) {
        PyErr_SetString(Error, "snappy: the block claims more than it can hold");
        return -1;
    }
    return 0;
}

static PyObject *
decompress(PyObject *self, PyObject *args)
{
    Py_buffer in;
    if (!PyArg_ParseTuple(args, "y*:decompress", &in))
        return NULL;
    size_t length;
    PyObject *out = NULL;
    if (claimed(&in, &length) == 0 && (out = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length))) {
        if (snappy_uncompress(in.buf, (size_t)in.len, PyBytes_AS_STRING(out), &length) != SNAPPY_OK) {
            Py_CLEAR(out);
            PyErr_SetString(Error, "snappy: the block is damaged");
        }
    }
    PyBuffer_Release(&in);
    return out;
}

static PyObject *
decompress_into(PyObject *self, PyObject *args)
{
    Py_buffer in, out;
    if (!PyArg_ParseTuple(args, "y*w*:decompress_into", &in, &out))
        return NULL;
    PyObject *result = NULL;
    size_t length;
    if (claimed(&in, &length) == 0) {
        if (length > (size_t)out.len)
            PyErr_SetString(Error, "snappy: the output buffer is too small");
        else if (snappy_uncompress(in.buf, (size_t)in.len, out.buf, &length) != SNAPPY_OK)
            PyErr_SetString(Error, "snappy: the block is damaged");
        else
            result = PyLong_FromSize_t(length);
    }
    PyBuffer_Release(&in);
    PyBuffer_Release(&out);
    return result;
}

/* CRC-32C, rotated and shifted as the framing format asks. */
static PyObject *
checksum(PyObject *self, PyObject *args)
{
    Py_buffer in;
    if (!PyArg_ParseTuple(args, "y*:checksum", &in))
        return NULL;
    static unsigned int table[256];
    if (!table[1]) {
        for (unsigned int byte = 0; byte < 256; byte++) {
            unsigned int value = byte;
            for (int bit = 0; bit < 8; bit++)
                value = value & 1 ? value >> 1 ^ 0x82F63B78u : value >> 1;
            table[byte] = value;
        }
    }
    unsigned int crc = 0xFFFFFFFFu;
    const unsigned char *bytes = in.buf;
    for (Py_ssize_t at = 0; at < in.len; at++)
        crc = table[(crc ^ bytes[at]) & 0xFF] ^ crc >> 8;
    crc = ~crc;
    PyBuffer_Release(&in);
    return PyLong_FromUnsignedLong(((crc >> 15 | crc << 17) + 0xA282EAD8u) & 0xFFFFFFFFu);
}

static PyMethodDef functions[] = {
    {"compress", compress, METH_VARARGS, "compress(data) -> bytes: one block"},
    {"decompress", decompress, METH_VARARGS, "decompress(block) -> bytes"},
    {"decompress_into", decompress_into, METH_VARARGS, "decompress_into(block, buffer) -> int: bytes written"},
    {"checksum", checksum, METH_VARARGS, "checksum(data) -> int: masked CRC-32C"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "cramjam._snappy", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC
PyInit__snappy(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (!module)
        return NULL;
    Error = PyErr_NewException("cramjam._snappy.Error", PyExc_ValueError, NULL);
    if (PyModule_AddObjectRef(module, "Error", Error) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
