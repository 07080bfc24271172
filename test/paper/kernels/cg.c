/*
 * CG, "conjugate gradient" (RNR-94-007, section 2.3): the smallest eigenvalue of a large sparse symmetric matrix by inverse
 * iteration, each step solved by 25 iterations of conjugate gradients. Five meetings of all threads in each of those.
 */
#include <math.h>
#include <string.h>

#include "cg_matrix.h"
#include "common.h"

enum { CG_STEPS = 25 };

static const struct {
  char class;
  int rows, nonzeros, iterations;
  double shift, zeta;
} CLASSES[] = {
    {'S', 1400, 7, 15, 10.0, 8.5971775078648},
    {'W', 7000, 8, 15, 12.0, 10.362595087124},
    {'A', 14000, 11, 15, 20.0, 17.130235054029},
};

struct vectors {
  double *x, *z, *p, *q, *r;
};

/* Row sums of one matrix-vector product. Called by all threads; they wait for each other at its end. */
static void multiply(const struct matrix *a, const double *in, double *result) {
#pragma omp for schedule(static)
  for (int row = 0; row < a->rows; row++) {
    double sum = 0.0;
    for (int k = a->first[row]; k < a->first[row + 1]; k++) sum += a->value[k] * in[a->column[k]];
    result[row] = sum;
  }
}

/* Shared: a reduction's target must be seen by all threads. */
static double dot_result;

/* Dot product, for all threads; the barriers keep the shared result from being reset while somebody still reads it. */
static double dot(const double *a, const double *b, int n) {
#pragma omp barrier
#pragma omp single
  dot_result = 0.0;
#pragma omp for schedule(static) reduction(+ : dot_result)
  for (int i = 0; i < n; i++) dot_result += a[i] * b[i];
  return dot_result;
}

/* Solves A z = x approximately. Called by all threads. */
static void solve(const struct matrix *a, const struct vectors *v) {
  int n = a->rows;
#pragma omp for schedule(static)
  for (int i = 0; i < n; i++) {
    v->z[i] = 0.0;
    v->r[i] = v->x[i];
    v->p[i] = v->x[i];
  }
  double rho = dot(v->r, v->r, n);
  for (int step = 0; step < CG_STEPS; step++) {
    multiply(a, v->p, v->q);
    double alpha = rho / dot(v->p, v->q, n);
#pragma omp for schedule(static)
    for (int i = 0; i < n; i++) {
      v->z[i] += alpha * v->p[i];
      v->r[i] -= alpha * v->q[i];
    }
    double rho_before = rho;
    rho = dot(v->r, v->r, n);
    double beta = rho / rho_before;
#pragma omp for schedule(static)
    for (int i = 0; i < n; i++) v->p[i] = v->r[i] + beta * v->p[i];
  }
}

/* Inverse iteration from a vector of ones. Returns the last estimate of zeta. */
static double iterate(const struct matrix *a, const struct vectors *v, double shift, int iterations) {
  double zeta = 0.0;
#pragma omp parallel
  {
#pragma omp for schedule(static)
    for (int i = 0; i < a->rows; i++) v->x[i] = 1.0;
    for (int it = 0; it < iterations; it++) {
      solve(a, v);
      double xz = dot(v->x, v->z, a->rows);
      double norm = 1.0 / sqrt(dot(v->z, v->z, a->rows));
#pragma omp for schedule(static)
      for (int i = 0; i < a->rows; i++) v->x[i] = norm * v->z[i];
#pragma omp single
      zeta = shift + 1.0 / xz;
    }
  }
  return zeta;
}

int run_cg(char class, int repeats, struct result *out) {
  for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; i++) {
    if (CLASSES[i].class != class) continue;
    struct matrix a = make_matrix(CLASSES[i].rows, CLASSES[i].nonzeros, CLASSES[i].shift);
    size_t n = (size_t)a.rows;
    struct vectors v = {allocate(n, 8), allocate(n, 8), allocate(n, 8), allocate(n, 8), allocate(n, 8)};
    iterate(&a, &v, CLASSES[i].shift, 1); /* brings pages and threads up, as NPB does before it times */
    out->iterations = CLASSES[i].iterations;
    out->tolerance = 1e-10;
    for (int repeat = 0; repeat < repeats; repeat++) {
      double start = now_seconds();
      double zeta = iterate(&a, &v, CLASSES[i].shift, CLASSES[i].iterations);
      add_run(out, now_seconds() - start, relative_error(zeta, CLASSES[i].zeta));
    }
    return 1;
  }
  return 0;
}
