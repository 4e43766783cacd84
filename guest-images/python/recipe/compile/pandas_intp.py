#!/usr/bin/env python3
"""Post-process pandas' generated C: where a function wants an intp_t buffer and gets int64 (the default integer here, intp is 32-bit),
convert and try again instead of raising "Buffer dtype mismatch".   usage: pandas_intp.py FILE..."""
import sys, re
HELP = '''
#include <string.h>
/* new reference to original as intp, or NULL (the error stays) */
static PyObject *gb_as_intp(PyObject *o, const __Pyx_TypeInfo *dtype) {
  PyObject *t, *v, *tb, *c = NULL, *k;
  if (sizeof(Py_ssize_t) >= 8 || !dtype || strcmp(dtype->name, "intp_t") || !PyErr_ExceptionMatches(PyExc_ValueError)) return NULL;
  PyErr_Fetch(&t, &v, &tb);
  k = PyObject_GetAttrString(o, "dtype");
  if (k) { PyObject *ch = PyObject_GetAttrString(k, "char"); Py_DECREF(k);
    if (ch) { if (PyUnicode_Check(ch) && PyUnicode_CompareWithASCIIString(ch, "q") == 0) c = PyObject_CallMethod(o, "astype", "s", "intp"); Py_DECREF(ch); } }
  PyErr_Clear();
  if (c) { Py_XDECREF(t); Py_XDECREF(v); Py_XDECREF(tb); } else PyErr_Restore(t, v, tb);
  return c;
}
'''
def wrap(s, name, sig_re, call, otype, oname, dtname):
    m = re.search(sig_re, s)
    if not m: return s, False
    # rename the definition, add the wrapper after its end (first "\n}\n" behind it)
    e = s.index('\n}\n', m.end()) + 3
    d = s[m.start():e]; head = m.group(0)
    new = d.replace(name + '(', name + '_gb(', 1) + head + ' {\n  int r = ' + call + ';\n' \
        '  if (r == -1) { PyObject *gb = gb_as_intp(' + oname + ', ' + dtname + ');\n    if (gb) { PyObject *' + oname + '_ = gb; r = ' + call.replace(oname, oname + '_') + '; Py_DECREF(gb); } }\n  return r;\n}\n'
    return s[:m.start()] + new + s[e:], True
for f in sys.argv[1:]:
    s = open(f).read()
    if 'gb_as_intp' in s or 'TypeInfo_nn___pyx_t_5numpy_intp_t = ' not in s: continue
    s, a = wrap(s, '__Pyx_ValidateAndInit_memviewslice', r'static int __Pyx_ValidateAndInit_memviewslice\(\s*int \*axes_specs,\s*int c_or_f_flag,\s*int buf_flags,\s*int ndim,\s*(?:const )?__Pyx_TypeInfo \*dtype,\s*__Pyx_BufFmt_StackElem stack\[\],\s*__Pyx_memviewslice \*memviewslice,\s*PyObject \*original_obj\)(?=\s*\{)',
        '__Pyx_ValidateAndInit_memviewslice_gb(axes_specs, c_or_f_flag, buf_flags, ndim, dtype, stack, memviewslice, original_obj)', '', 'original_obj', 'dtype')
    s, b = wrap(s, '__Pyx__GetBufferAndValidate', r'static int __Pyx__GetBufferAndValidate\(\s*Py_buffer\* buf, PyObject\* obj,\s*(?:const )?__Pyx_TypeInfo\* dtype, int flags,\s*int nd, int cast, __Pyx_BufFmt_StackElem\* stack\)(?=\s*\{)',
        '__Pyx__GetBufferAndValidate_gb(buf, obj, dtype, flags, nd, cast, stack)', '', 'obj', 'dtype')
    m = re.search(r'static const __Pyx_TypeInfo __Pyx_TypeInfo_nn___pyx_t_5numpy_intp_t = .*\n', s); s = s[:m.end()] + HELP + s[m.end():]
    print(f.split('/')[-1], 'memview' if a else '-', 'buffer' if b else '-')
    open(f, 'w').write(s)
