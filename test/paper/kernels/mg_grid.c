/* The operators of MG. Each is one parallel loop over planes, and ends with a barrier and the copies brought up to date. */
#include "mg_grid.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "common.h"

struct grid make_grid(int n) {
  size_t side = (size_t)n + 2;
  struct grid g = {n, allocate(side * side * side, sizeof(double))};
  return g;
}

void wrap_around(const struct grid *g) {
  int n = g->n;
  size_t side = (size_t)n + 2;
#pragma omp parallel
  {
#pragma omp for schedule(static)
    for (int z = 1; z <= n; z++) {
      for (int y = 1; y <= n; y++) {
        double *row = row_of(g, z, y);
        row[0] = row[n];
        row[n + 1] = row[1];
      }
      memcpy(row_of(g, z, 0), row_of(g, z, n), side * sizeof(double));
      memcpy(row_of(g, z, n + 1), row_of(g, z, 1), side * sizeof(double));
    }
#pragma omp for schedule(static)
    for (int y = 0; y <= n + 1; y++) {
      memcpy(row_of(g, 0, y), row_of(g, n, y), side * sizeof(double));
      memcpy(row_of(g, n + 1, y), row_of(g, 1, y), side * sizeof(double));
    }
  }
}

/* Sums over the four neighbours of a row's points that are next to it (near) and across (far): shared by three points. */
static void cross_sums(const struct grid *g, int z, int y, double *near, double *far) {
  const double *south = row_of(g, z, y - 1), *north = row_of(g, z, y + 1);
  const double *below = row_of(g, z - 1, y), *above = row_of(g, z + 1, y);
  const double *bs = row_of(g, z - 1, y - 1), *bn = row_of(g, z - 1, y + 1);
  const double *as = row_of(g, z + 1, y - 1), *an = row_of(g, z + 1, y + 1);
  for (int x = 0; x <= g->n + 1; x++) {
    near[x] = south[x] + north[x] + below[x] + above[x];
    far[x] = bs[x] + bn[x] + as[x] + an[x];
  }
}

static inline double weigh(const struct stencil *s, const double *row, const double *near, const double *far,
                           int x) {
  return s->centre * row[x] + s->face * (row[x - 1] + row[x + 1] + near[x]) +
         s->edge * (far[x] + near[x - 1] + near[x + 1]) + s->corner * (far[x - 1] + far[x + 1]);
}

void residual(const struct grid *u, const struct grid *v, const struct grid *r, const struct stencil *a) {
  int n = u->n;
#pragma omp parallel for schedule(static)
  for (int z = 1; z <= n; z++) {
    double near[n + 2], far[n + 2];
    for (int y = 1; y <= n; y++) {
      cross_sums(u, z, y, near, far);
      const double *row = row_of(u, z, y), *right = row_of(v, z, y);
      double *to = row_of(r, z, y);
      for (int x = 1; x <= n; x++) to[x] = right[x] - weigh(a, row, near, far, x);
    }
  }
  wrap_around(r);
}

void smooth(const struct grid *r, const struct grid *u, const struct stencil *s) {
  int n = u->n;
#pragma omp parallel for schedule(static)
  for (int z = 1; z <= n; z++) {
    double near[n + 2], far[n + 2];
    for (int y = 1; y <= n; y++) {
      cross_sums(r, z, y, near, far);
      const double *row = row_of(r, z, y);
      double *to = row_of(u, z, y);
      for (int x = 1; x <= n; x++) to[x] += weigh(s, row, near, far, x);
    }
  }
  wrap_around(u);
}

/* Point c of the coarse grid lies on point 2c of the fine one. */
void restrict_to(const struct grid *fine, const struct grid *coarse) {
  static const struct stencil weights = {0.5, 0.25, 0.125, 0.0625};
  int n = coarse->n;
#pragma omp parallel for schedule(static)
  for (int z = 1; z <= n; z++) {
    double near[2 * n + 2], far[2 * n + 2];
    for (int y = 1; y <= n; y++) {
      cross_sums(fine, 2 * z, 2 * y, near, far);
      const double *row = row_of(fine, 2 * z, 2 * y);
      double *to = row_of(coarse, z, y);
      for (int x = 1; x <= n; x++) to[x] = weigh(&weights, row, near, far, 2 * x);
    }
  }
  wrap_around(coarse);
}

/* A fine point between coarse ones is their mean: in each direction one coarse point (even) or two (odd). */
void interpolate(const struct grid *coarse, const struct grid *fine) {
  int n = fine->n;
#pragma omp parallel for schedule(static)
  for (int z = 1; z <= n; z++) {
    for (int y = 1; y <= n; y++) {
      const double *a = row_of(coarse, z / 2, y / 2), *b = row_of(coarse, z / 2, (y + 1) / 2);
      const double *c = row_of(coarse, (z + 1) / 2, y / 2), *d = row_of(coarse, (z + 1) / 2, (y + 1) / 2);
      double *to = row_of(fine, z, y);
      for (int x = 1; x <= n; x++) {
        int low = x / 2, high = (x + 1) / 2;
        to[x] += 0.125 * (a[low] + a[high] + b[low] + b[high] + c[low] + c[high] + d[low] + d[high]);
      }
    }
  }
  wrap_around(fine);
}

void clear(const struct grid *g) {
  size_t side = (size_t)g->n + 2;
#pragma omp parallel for schedule(static)
  for (int z = 0; z <= g->n + 1; z++) memset(row_of(g, z, 0), 0, side * side * sizeof(double));
}

double norm_of(const struct grid *g) {
  double sum = 0.0, n = g->n;
#pragma omp parallel for schedule(static) reduction(+ : sum)
  for (int z = 1; z <= g->n; z++) {
    for (int y = 1; y <= g->n; y++) {
      const double *row = row_of(g, z, y);
      for (int x = 1; x <= g->n; x++) sum += row[x] * row[x];
    }
  }
  return sqrt(sum / (n * n * n));
}
