"""Universal functions on Python numbers, numpy scalars and arrays of all dtypes, and mixtures of them."""
import numpy as np

SPACE = {"np": np, "A": {}}

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "float32", "float64"]
COMPLEX = ["complex64", "complex128"]
UNITS = ["datetime64[D]", "datetime64[ns]", "timedelta64[s]", "timedelta64[D]"]

for number, name in enumerate(INTEGERS + FLOATS + COMPLEX + ["bool"]):
    random = np.random.RandomState(number)
    kind = np.dtype(name).kind
    if kind in "iu":
        info = np.iinfo(name)
        values = [0, 1, 2, 3, 7, info.max, info.max - 1, info.min, info.max // 3] + list(random.randint(0, 100, 4))
        SPACE["A"][name] = np.array(values, name)
    elif kind == "b":
        SPACE["A"][name] = random.rand(13) > 0.5
    else:
        values = np.concatenate([[0.0, -0.0, 1.0, -1.5, np.inf, -np.inf, np.nan], random.randn(6) * 10])
        SPACE["A"][name] = (values + 1j * random.randn(13) if kind == "c" else values).astype(name)
for name in UNITS:
    SPACE["A"][name] = np.array([0, 1, -5, 20000, 7, 365, 31, 59, 1000, -1, 2, 3, 4], "int64").astype(name)
    SPACE["A"][name][5] = "NaT"

EXACT_UNARY = ["negative", "positive", "absolute", "sign", "square", "invert", "logical_not", "isnan", "isfinite", "isinf",
               "signbit", "rint", "floor", "ceil", "trunc", "conjugate", "spacing", "bitwise_count", "reciprocal", "fabs"]
ROUNDED_UNARY = ["sqrt", "cbrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin",
                 "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "deg2rad", "rad2deg"]
BINARY = ["add", "subtract", "multiply", "true_divide", "floor_divide", "remainder", "fmod", "power", "float_power", "maximum",
          "minimum", "fmax", "fmin", "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "equal",
          "not_equal", "less", "greater_equal", "logical_and", "logical_xor", "gcd", "lcm", "copysign", "nextafter", "ldexp",
          "heaviside", "arctan2", "hypot", "logaddexp", "divmod"]
ROUNDED_BINARY = {"power", "float_power", "arctan2", "hypot", "logaddexp"}
SCALARS = ["0", "1", "3", "-7", "40", "2**31", "2**40", "2**53 + 1", "2**63 - 1", "2**64 - 1", "True", "2.5", "-0.0", "1e300",
           "float('nan')", "1 + 2j", "np.int64(2**40)", "np.int32(2**31 - 1)", "np.uint8(200)", "np.float32(0.1)", "np.intp(2**33)"]


def rounding(name, dtype):
    """A float32 result is compared as a double, where its last place is 2**29."""
    if dtype == "float16":
        return 1 << 42
    return 4 << 29 if dtype in ("float32", "complex64", "int16", "uint16") else 4


def calls():
    for name in EXACT_UNARY:
        for dtype in SPACE["A"]:
            yield f"np.{name}(A['{dtype}'])", rounding(name, dtype) if dtype.startswith("complex") else 0
    for name in ROUNDED_UNARY:
        for dtype in ["int64", "int32", "int16", "float16", "float32", "float64", "complex128"]:
            yield f"np.{name}(A['{dtype}'])", rounding(name, dtype) * (16 if dtype.startswith("complex") else 1)
        for scalar in SCALARS[:15]:
            yield f"np.{name}({scalar})", rounding(name, "uint16" if scalar == "True" else "float64") << (13 if scalar == "True" else 0)
    random = np.random.RandomState(1)
    dtypes = list(SPACE["A"])
    for name in BINARY:
        ulps = 4 if name in ROUNDED_BINARY else 0
        for left in SCALARS:
            for right in [SCALARS[at] for at in random.choice(len(SCALARS), 5, replace=False)]:
                yield f"np.{name}({left}, {right})", (4 << 29 if "float32" in left + right else ulps) if ulps or "j" in left + right else 0
        for _ in range(14):
            left, right = dtypes[random.randint(len(dtypes))], dtypes[random.randint(len(dtypes))]
            wide = "complex" in left + right or ulps
            yield f"np.{name}(A['{left}'], A['{right}'])", max(rounding(name, left), rounding(name, right)) if wide else 0
        for dtype in INTEGERS + ["float64"]:
            scalar = SCALARS[random.randint(len(SCALARS))]
            yield f"np.{name}(A['{dtype}'], {scalar})", (rounding(name, dtype) if ulps or "j" in scalar else 0)
    for dtype in dtypes:
        for target in dtypes:
            yield f"A['{dtype}'].astype('{target}')", 0
    for symbol in ["+", "*", "//", "%", "**", "<<", "-", "/", "&"]:
        for left, right in [("np.int64(2**40)", "3"), ("np.int32(2**30)", "4"), ("np.uint64(2**63)", "1"), ("np.int64(2)", "62"),
                            ("np.array(2**40)", "np.array(2**20)"), ("np.bool_(True)", "1"), ("np.intp(2**31)", "2**31"),
                            ("np.arange(5)", "2**33"), ("np.array([2**31])", "np.array([2**31])")]:
            yield f"{left} {symbol} {right}", 0
