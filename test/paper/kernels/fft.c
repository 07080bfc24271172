/* Stockham's radix-2 FFT: no bit reversal, two buffers in turns. Lines along y and z are gathered into one buffer first. */
#include "fft.h"

#include <stddef.h>
#include <stdlib.h>

#include "common.h"

static const double PI = 3.141592653589793238;

/* exp(sign 2 pi i j / n) for j < n / 2 */
static double complex *make_roots(int n, int sign) {
  double complex *roots = allocate((size_t)n / 2 + 1, sizeof *roots);
  for (int j = 0; j < n / 2; j++) roots[j] = cexp(sign * 2.0 * PI * I * j / n);
  return roots;
}

/* C's complex product looks after infinities; a plain one is all that is needed, and quicker. */
static inline double complex times(double complex a, double complex b) {
  double ar = creal(a), ai = cimag(a), br = creal(b), bi = cimag(b);
  return (ar * br - ai * bi) + (ar * bi + ai * br) * I;
}

/* Transforms `n` values at `in`; returns where the result is: `in` or `other`. */
static double complex *transform_line(double complex *in, double complex *other, int n, const double complex *roots) {
  for (int half = n / 2, stride = 1; half >= 1; half /= 2, stride *= 2) {
    for (int j = 0; j < half; j++) {
      double complex root = roots[j * stride];
      for (int k = 0; k < stride; k++) {
        double complex a = in[j * stride + k], b = in[(j + half) * stride + k];
        other[2 * j * stride + k] = a + b;
        other[(2 * j + 1) * stride + k] = times(a - b, root);
      }
    }
    double complex *swap = in;
    in = other;
    other = swap;
  }
  return in;
}

/* All lines of one direction: `lines` of them, the l-th begins at first(l), its values `step` apart. */
struct direction {
  int length;
  size_t step;
  int outer, inner;
  size_t outer_step, inner_step;
};

static void transform_direction(const struct direction *d, double complex *u, int sign) {
  double complex *roots = make_roots(d->length, sign);
#pragma omp parallel for schedule(static)
  for (int o = 0; o < d->outer; o++) {
    double complex buffers[2][d->length];
    for (int i = 0; i < d->inner; i++) {
      double complex *line = u + (size_t)o * d->outer_step + (size_t)i * d->inner_step;
      for (int k = 0; k < d->length; k++) buffers[0][k] = line[(size_t)k * d->step];
      const double complex *done = transform_line(buffers[0], buffers[1], d->length, roots);
      for (int k = 0; k < d->length; k++) line[(size_t)k * d->step] = done[k];
    }
  }
  free(roots);
}

void transform(const struct box *box, double complex *u, int sign) {
  size_t row = (size_t)box->nx, plane = row * (size_t)box->ny;
  const struct direction directions[] = {
      {box->nx, 1, box->nz, box->ny, plane, row},
      {box->ny, row, box->nz, box->nx, plane, 1},
      {box->nz, plane, box->ny, box->nx, row, 1},
  };
  for (int i = 0; i < 3; i++) transform_direction(&directions[i], u, sign);
}
