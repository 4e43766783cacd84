/* Small parts of LAPACK that f2c does not read, since their strings have lengths. */
extern int xerbla_(const char *name, const int *info, int length);

/* What translated subroutines call for xerbla (steps/lapack.py), which in OpenBLAS returns a number. */
void lapack_xerbla_(const char *name, const int *info, int length)
{
    xerbla_(name, info, length);
}

void xerbla_array_(const char *name, const int *length, const int *info)
{
    xerbla_(name, info, *length);
}

/* BLAST's number of a transposition as its letter, declared as scipy calls it. */
char chla_transtype_(const int *trans)
{
    return *trans == 111 ? 'N' : *trans == 112 ? 'T' : *trans == 113 ? 'C' : 'X';
}
