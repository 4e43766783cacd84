/* What LAPACK 3.12 has in Fortran 90, which f2c does not read, in C: the same algorithms, in both precisions. */
#include <complex.h>
#include <float.h>
#include <math.h>
#include <stddef.h>

#define JOINED(a, b) a##b
#define NAME_(a, b) JOINED(a, b)
#define NAME(kind, name) NAME_(kind, name)
#define CEIL2(n) ((n) >= 0 ? ((n) + 1) / 2 : (n) / 2)
#define FLOOR2(n) ((n) >= 0 ? (n) / 2 : ((n) - 1) / 2)

#define REAL double
#define COMPLEX double complex
#define R d
#define C z
#define RE creal
#define IM cimag
#define ABS fabs
#define SQRT sqrt
#define FMAX fmax
#define FMIN fmin
#define COPYSIGN copysign
#define POW2(n) ldexp(1, n)
#define LIMIT(name) DBL_##name
#include "lapack_f90.h"
#undef REAL
#undef COMPLEX
#undef R
#undef C
#undef RE
#undef IM
#undef ABS
#undef SQRT
#undef FMAX
#undef FMIN
#undef COPYSIGN
#undef POW2
#undef LIMIT

#define REAL float
#define COMPLEX float complex
#define R s
#define C c
#define RE crealf
#define IM cimagf
#define ABS fabsf
#define SQRT sqrtf
#define FMAX fmaxf
#define FMIN fminf
#define COPYSIGN copysignf
#define POW2(n) ldexpf(1, n)
#define LIMIT(name) FLT_##name
#include "lapack_f90.h"
