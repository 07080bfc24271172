/* Complex FFTs over a box whose sides are powers of two. */
#ifndef PAPER_FFT_H
#define PAPER_FFT_H

#include <complex.h>

struct box {
  int nx, ny, nz; /* x fastest in memory */
};

/* In place, not normalised: sum of u_j exp(sign 2 pi i j k / n) along x, y and z. A barrier after each direction. */
void transform(const struct box *box, double complex *u, int sign);

#endif
