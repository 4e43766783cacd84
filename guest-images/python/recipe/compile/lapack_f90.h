/* LAPACK 3.12's Fortran 90 files (lartg, lassq, lamch, roundup_lwork) for one precision: REAL, NAME and limits are set by lapack_f90.c. */

/* la_constants.f90 */
#define safmin ((REAL)LIMIT(MIN))
#define safmax (1 / safmin)

void NAME(R, lartg_)(const REAL *f, const REAL *g, REAL *c, REAL *s, REAL *r)
{
    const REAL rtmin = SQRT(safmin), rtmax = SQRT(safmax / 2), f1 = ABS(*f), g1 = ABS(*g), f0 = *f, g0 = *g;
    if (g0 == 0) {
        *c = 1;
        *s = 0;
        *r = f0;
    } else if (f0 == 0) {
        *c = 0;
        *s = COPYSIGN(1, g0);
        *r = g1;
    } else if (f1 > rtmin && f1 < rtmax && g1 > rtmin && g1 < rtmax) {
        const REAL d = SQRT(f0 * f0 + g0 * g0);
        *c = f1 / d;
        *r = COPYSIGN(d, f0);
        *s = g0 / *r;
    } else {
        const REAL u = FMIN(safmax, FMAX(safmin, FMAX(f1, g1))), fs = f0 / u, gs = g0 / u, d = SQRT(fs * fs + gs * gs);
        *c = ABS(fs) / d;
        *r = COPYSIGN(d, f0);
        *s = gs / *r;
        *r *= u;
    }
}

static inline REAL NAME(C, largest)(COMPLEX z) { return FMAX(ABS(RE(z)), ABS(IM(z))); }
static inline REAL NAME(C, square)(COMPLEX z) { return RE(z) * RE(z) + IM(z) * IM(z); }
static inline COMPLEX NAME(C, make)(REAL re, REAL im)
{
    COMPLEX z;
    ((REAL *)&z)[0] = re;
    ((REAL *)&z)[1] = im;
    return z;
}
static inline COMPLEX NAME(C, over)(COMPLEX z, REAL d) { return NAME(C, make)(RE(z) / d, IM(z) / d); }
static inline COMPLEX NAME(C, by)(COMPLEX z, REAL d) { return NAME(C, make)(RE(z) * d, IM(z) * d); }
static inline COMPLEX NAME(C, times)(COMPLEX a, COMPLEX b)
{
    return NAME(C, make)(RE(a) * RE(b) - IM(a) * IM(b), RE(a) * IM(b) + IM(a) * RE(b));
}
static inline COMPLEX NAME(C, conj)(COMPLEX z) { return NAME(C, make)(RE(z), -IM(z)); }

/* The common part: f and g, scaled so that f2 = |f|² and h2 = |f|² (scaled) + |g|² are safe. */
static inline void NAME(C, rotation)(COMPLEX f, COMPLEX g, REAL f2, REAL h2, REAL rtmin, REAL rtmax, REAL *c, COMPLEX *s, COMPLEX *r)
{
    const COMPLEX gc = NAME(C, conj)(g);
    if (f2 >= h2 * safmin) {
        *c = SQRT(f2 / h2);
        *r = NAME(C, over)(f, *c);
        if (f2 > rtmin && h2 < rtmax * 2)
            *s = NAME(C, times)(gc, NAME(C, over)(f, SQRT(f2 * h2)));
        else
            *s = NAME(C, times)(gc, NAME(C, over)(*r, h2));
    } else {
        const REAL d = SQRT(f2 * h2);
        *c = f2 / d;
        *r = *c >= safmin ? NAME(C, over)(f, *c) : NAME(C, by)(f, h2 / d);
        *s = NAME(C, times)(gc, NAME(C, over)(f, d));
    }
}

void NAME(C, lartg_)(const COMPLEX *fp, const COMPLEX *gp, REAL *c, COMPLEX *s, COMPLEX *r)
{
    const COMPLEX f = *fp, g = *gp;
    const REAL rtmin = SQRT(safmin);
    if (RE(g) == 0 && IM(g) == 0) {
        *c = 1;
        *s = NAME(C, make)(0, 0);
        *r = f;
    } else if (RE(f) == 0 && IM(f) == 0) {
        *c = 0;
        if (RE(g) == 0 || IM(g) == 0) {
            const REAL d = RE(g) == 0 ? ABS(IM(g)) : ABS(RE(g));
            *r = NAME(C, make)(d, 0);
            *s = NAME(C, over)(NAME(C, conj)(g), d);
            return;
        }
        const REAL g1 = NAME(C, largest)(g), rtmax = SQRT(safmax / 2);
        const REAL u = g1 > rtmin && g1 < rtmax ? 1 : FMIN(safmax, FMAX(safmin, g1));
        const COMPLEX gs = NAME(C, over)(g, u);
        const REAL d = SQRT(NAME(C, square)(gs));
        *s = NAME(C, over)(NAME(C, conj)(gs), d);
        *r = NAME(C, make)(d * u, 0);
    } else {
        const REAL f1 = NAME(C, largest)(f), g1 = NAME(C, largest)(g), rtmax = SQRT(safmax / 4);
        if (f1 > rtmin && f1 < rtmax && g1 > rtmin && g1 < rtmax) {
            const REAL f2 = NAME(C, square)(f);
            NAME(C, rotation)(f, g, f2, f2 + NAME(C, square)(g), rtmin, rtmax, c, s, r);
            return;
        }
        const REAL u = FMIN(safmax, FMAX(safmin, FMAX(f1, g1)));
        const COMPLEX gs = NAME(C, over)(g, u);
        const REAL g2 = NAME(C, square)(gs);
        REAL w = 1;
        COMPLEX fs = NAME(C, over)(f, u);
        if (f1 / u < rtmin) {
            const REAL v = FMIN(safmax, FMAX(safmin, f1));
            w = v / u;
            fs = NAME(C, over)(f, v);
        }
        const REAL f2 = NAME(C, square)(fs);
        NAME(C, rotation)(fs, gs, f2, f2 * w * w + g2, rtmin, rtmax, c, s, r);
        *c *= w;
        *r = NAME(C, by)(*r, u);
    }
}

/* Blue's constants. */
#define tsml POW2(CEIL2(LIMIT(MIN_EXP) - 1))
#define tbig POW2(FLOOR2(LIMIT(MAX_EXP) - LIMIT(MANT_DIG) + 1))
#define ssml POW2(-FLOOR2(LIMIT(MIN_EXP) - LIMIT(MANT_DIG)))
#define sbig POW2(-CEIL2(LIMIT(MAX_EXP) + LIMIT(MANT_DIG) - 1))

static void NAME(R, sums)(int n, int parts, const REAL *x, int incx, REAL *scale, REAL *sumsq)
{
    if (isnan(*scale) || isnan(*sumsq))
        return;
    if (*sumsq == 0)
        *scale = 1;
    if (*scale == 0) {
        *scale = 1;
        *sumsq = 0;
    }
    if (n <= 0)
        return;
    REAL abig = 0, amed = 0, asml = 0;
    int notbig = 1;
    ptrdiff_t at = incx < 0 ? (ptrdiff_t)(1 - n) * incx : 0;
    for (int i = 0; i < n; i++, at += incx)
        for (int part = 0; part < parts; part++) {
            const REAL ax = ABS(x[at * parts + part]);
            if (ax > tbig) {
                abig += (ax * sbig) * (ax * sbig);
                notbig = 0;
            } else if (ax < tsml) {
                if (notbig)
                    asml += (ax * ssml) * (ax * ssml);
            } else
                amed += ax * ax;
        }
    if (*sumsq > 0) {
        const REAL ax = *scale * SQRT(*sumsq);
        if (ax > tbig) {
            if (*scale > 1) {
                *scale *= sbig;
                abig += *scale * (*scale * *sumsq);
            } else
                abig += *scale * (*scale * (sbig * (sbig * *sumsq)));
        } else if (ax < tsml) {
            if (notbig) {
                if (*scale < 1) {
                    *scale *= ssml;
                    asml += *scale * (*scale * *sumsq);
                } else
                    asml += *scale * (*scale * (ssml * (ssml * *sumsq)));
            }
        } else
            amed += *scale * (*scale * *sumsq);
    }
    if (abig > 0) {
        if (amed > 0 || isnan(amed))
            abig += (amed * sbig) * sbig;
        *scale = 1 / sbig;
        *sumsq = abig;
    } else if (asml > 0) {
        if (amed > 0 || isnan(amed)) {
            amed = SQRT(amed);
            asml = SQRT(asml) / ssml;
            const REAL ymin = asml > amed ? amed : asml, ymax = asml > amed ? asml : amed;
            *scale = 1;
            *sumsq = ymax * ymax * (1 + (ymin / ymax) * (ymin / ymax));
        } else {
            *scale = 1 / ssml;
            *sumsq = asml;
        }
    } else {
        *scale = 1;
        *sumsq = amed;
    }
}
void NAME(R, lassq_)(const int *n, const REAL *x, const int *incx, REAL *scale, REAL *sumsq)
{
    NAME(R, sums)(*n, 1, x, *incx, scale, sumsq);
}
void NAME(C, lassq_)(const int *n, const COMPLEX *x, const int *incx, REAL *scale, REAL *sumsq)
{
    NAME(R, sums)(*n, 2, (const REAL *)x, *incx, scale, sumsq);
}

REAL NAME(R, lamch_)(const char *what)
{
    const REAL eps = LIMIT(EPSILON) / 2;
    switch (*what | 32) {
    case 'e': return eps;
    case 's': return LIMIT(MIN);
    case 'b': return 2;
    case 'p': return eps * 2;
    case 'n': return LIMIT(MANT_DIG);
    case 'r': return 1;
    case 'm': return LIMIT(MIN_EXP);
    case 'u': return LIMIT(MIN);
    case 'l': return LIMIT(MAX_EXP);
    case 'o': return LIMIT(MAX);
    default: return 0;
    }
}

REAL NAME(R, lamc3_)(const REAL *a, const REAL *b)
{
    return *a + *b;
}

REAL NAME(R, roundup_lwork_)(const int *lwork)
{
    const REAL size = *lwork;
    return (int)size < *lwork ? size * (1 + LIMIT(EPSILON)) : size;
}

/* MAXLOC, which f2c does not know; fortran.py calls this instead. */
int NAME(imaxl, NAME(R, _))(const int *n, const REAL *x)
{
    int at = 0;
    for (int i = 1; i < *n; i++)
        if (x[i] > x[at] || (isnan(x[at]) && !isnan(x[i])))
            at = i;
    return at + 1;
}

#undef safmin
#undef safmax
#undef tsml
#undef tbig
#undef ssml
#undef sbig
