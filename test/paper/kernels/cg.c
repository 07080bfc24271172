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

/*
 * Sums of all threads. Three in turns: one is being added to, the one before may still be read, the next is brought to 0. So a
 * dot product needs one barrier.
 */
static double sums[3];

/* Dot product, for all threads. `turn`: of the calling thread, the same in all. */
static double dot(const double *a, const double *b, int n, int *turn) {
  int now = *turn, next = (now + 1) % 3;
  double own = 0.0;
#pragma omp for schedule(static) nowait
  for (int i = 0; i < n; i++) own += a[i] * b[i];
#pragma omp single nowait
  sums[next] = 0.0;
#pragma omp atomic
  sums[now] += own;
#pragma omp barrier
  *turn = next;
  return sums[now];
}

/* Solves A z = x approximately. Called by all threads. */
static void solve(const struct matrix *a, const struct vectors *v, int *turn) {
  int n = a->rows;
#pragma omp for schedule(static)
  for (int i = 0; i < n; i++) {
    v->z[i] = 0.0;
    v->r[i] = v->x[i];
    v->p[i] = v->x[i];
  }
  double rho = dot(v->r, v->r, n, turn);
  for (int step = 0; step < CG_STEPS; step++) {
    multiply(a, v->p, v->q);
    double alpha = rho / dot(v->p, v->q, n, turn);
#pragma omp for schedule(static)
    for (int i = 0; i < n; i++) {
      v->z[i] += alpha * v->p[i];
      v->r[i] -= alpha * v->q[i];
    }
    double rho_before = rho;
    rho = dot(v->r, v->r, n, turn);
    double beta = rho / rho_before;
#pragma omp for schedule(static)
    for (int i = 0; i < n; i++) v->p[i] = v->r[i] + beta * v->p[i];
  }
}

/* Inverse iteration from a vector of ones. Returns the last estimate of zeta. */
static double iterate(const struct matrix *a, const struct vectors *v, double shift, int iterations) {
  double zeta = 0.0;
  sums[0] = 0.0;
#pragma omp parallel
  {
    int turn = 0;
#pragma omp for schedule(static)
    for (int i = 0; i < a->rows; i++) v->x[i] = 1.0;
    for (int it = 0; it < iterations; it++) {
      solve(a, v, &turn);
      double xz = dot(v->x, v->z, a->rows, &turn);
      double norm = 1.0 / sqrt(dot(v->z, v->z, a->rows, &turn));
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
