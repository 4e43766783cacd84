"""LAPACK: the reference implementation, from Fortran to C by f2c."""
import glob
import os
import re
import shutil

NEEDS = ['toolchain', 'native', 'f2c']
SOURCES = ['lapack', 'libf2c2']
FILES = ['recipe/compile/fortran.py', 'recipe/compile/lapack_f90.c', 'recipe/compile/lapack_f90.h', 'recipe/compile/lapack_rest.c']
# Drivers of Fortran 90 that nothing here calls (arrays' sections, EXPONENT, TRANSFER), and what OpenBLAS or lapack_rest.c has.
LEFT_OUT = re.compile(r'[sdcz](\w+rfsx|laqz[0-4]|gges3|ggev3|getsqrhrt|trsyl3|bdsvdx|gesvdx)|xerbla(_array)?|chla_transtype')
# The parts of f2c's library that computing calls; there is no input and output.
RUNTIME = '''pow_ci pow_dd pow_di pow_ii pow_ri pow_zi pow_zz c_abs c_cos c_div c_exp c_log c_sin c_sqrt z_abs z_cos z_div z_exp z_log z_sin
 z_sqrt r_abs r_cnjg r_imag r_int r_lg10 r_mod r_nint r_sign d_abs d_cnjg d_imag d_int d_lg10 d_mod d_nint d_prod d_sign i_abs i_dim i_dnnt
 i_indx i_len i_mod i_nint i_sign cabs s_cat s_cmp s_copy'''.split()


def build(step):
    fortran, runtime = step.source('lapack'), step.source('libf2c2')
    files = [path for path in sorted(glob.glob(f'{fortran}/SRC/*.f')) if not LEFT_OUT.fullmatch(os.path.basename(path)[:-2])]
    files.append(f'{fortran}/INSTALL/ilaver.f')
    translated, include = os.path.join(step.work, 'c'), os.path.join(step.work, 'include')
    shutil.rmtree(translated, ignore_errors=True)
    step.run([step.python, step.recipe('compile/fortran.py'), f'{step.result("f2c")}/bin/f2c', translated, *files])
    os.makedirs(include, exist_ok=True)
    shutil.copy(f'{runtime}/f2c.h0', f'{include}/f2c.h')
    step.library('f2c', step.compile([f'{runtime}/{name}.c' for name in RUNTIME], ['-DNO_OVERWRITE', '-DIEEE_COMPLEX_DIVIDE', f'-I{include}', f'-I{runtime}'], 'runtime'))
    # f2c's equivalences and workspaces are read under other types than they were written.
    flags = ['-O2', '-fno-strict-aliasing', '-Dxerbla_=lapack_xerbla_', f'-I{include}']
    objects = step.compile(sorted(glob.glob(f'{translated}/*.c')), flags, 'lapack')
    own = [step.recipe(f'compile/{name}.c') for name in ('lapack_f90', 'lapack_rest')]
    step.library('lapack', objects + step.compile(own, ['-O2'], 'own'))
