/*
 * LU (RNR-94-007, section 4.3): symmetric successive over-relaxation for the compressible Navier-Stokes equations on a
 * cube. Verified are the norms of the residual and of the error, and a surface integral of the pressure.
 */
#include "lu.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "common.h"

static const double OMEGA = 1.2;

static const struct problem {
  char class;
  int side, iterations;
  double dt;
  point residual, error;
  double integral;
} CLASSES[] = {
    {'S', 12, 50, 0.5,
     {1.6196343210976702e-02, 2.1976745164821318e-03, 1.5179927653399185e-03, 1.5029584435994323e-03, 3.4264073155896461e-02},
     {6.4223319957960924e-04, 8.4144342047347926e-05, 5.8588269616485186e-05, 5.8474222595157350e-05, 1.3103347914111294e-03},
     7.8418928865937083},
    {'W', 33, 300, 1.5e-3,
     {0.1236511638192e+02, 0.1317228477799e+01, 0.2550120713095e+01, 0.2326187750252e+01, 0.2826799444189e+02},
     {0.4867877144216e+00, 0.5064652880982e-01, 0.9281818101960e-01, 0.8570126542733e-01, 0.1084277417792e+01},
     0.1161399311023e+02},
    {'A', 64, 250, 2.0,
     {7.7902107606689367e+02, 6.3402765259692870e+01, 1.9499249727292479e+02, 1.7845301160418537e+02, 1.8384760349464247e+03},
     {2.9964085685471943e+01, 2.8194576365003349e+00, 7.3473412698774742e+00, 6.7139225687777051e+00, 7.0715315688392578e+01},
     2.6030925604886277e+01},
};

/* Between exact values on the boundary: the sum of what each pair of faces gives, less what is counted twice or thrice. */
static void blend(const struct flow *f, int x, int y, int z, point value) {
  int last = f->n - 1;
  double s[3] = {(double)x / last, (double)y / last, (double)z / last};
  point low[3], high[3];
  exact(f, 0, y, z, low[0]), exact(f, last, y, z, high[0]);
  exact(f, x, 0, z, low[1]), exact(f, x, last, z, high[1]);
  exact(f, x, y, 0, low[2]), exact(f, x, y, last, high[2]);
  for (int m = 0; m < VARS; m++) {
    double p[3];
    for (int d = 0; d < 3; d++) p[d] = (1.0 - s[d]) * low[d][m] + s[d] * high[d][m];
    value[m] = p[0] + p[1] + p[2] - p[0] * p[1] - p[1] * p[2] - p[2] * p[0] + p[0] * p[1] * p[2];
  }
}

static int is_inside(const struct flow *f, int x, int y, int z) {
  int last = f->n - 1;
  return x > 0 && y > 0 && z > 0 && x < last && y < last && z < last;
}

/* frct is what the operator makes of the exact solution: with it, that solution has no residual. */
static void initialise(struct flow *f) {
#pragma omp parallel
  {
#pragma omp for schedule(static)
    for (int z = 0; z < f->n; z++)
      for (int y = 0; y < f->n; y++)
        for (int x = 0; x < f->n; x++) {
          exact(f, x, y, z, f->rsd[at(f, x, y, z)]);
          memset(f->frct[at(f, x, y, z)], 0, sizeof(point));
          if (is_inside(f, x, y, z)) blend(f, x, y, z, f->u[at(f, x, y, z)]);
          else exact(f, x, y, z, f->u[at(f, x, y, z)]);
        }
    add_operator(f, (const point *)f->rsd, f->frct);
  }
}

/* rsd = L(u) - frct; called by all threads. */
static void compute_residual(const struct flow *f) {
#pragma omp for schedule(static)
  for (int z = 0; z < f->n; z++)
    for (size_t i = at(f, 0, 0, z); i < at(f, 0, 0, z + 1); i++)
      for (int m = 0; m < VARS; m++) f->rsd[i][m] = -f->frct[i][m];
  add_operator(f, (const point *)f->u, f->rsd);
}

/* to[i] = scale * to[i] + add * from[i] at interior points; called by all threads. */
static void combine(const struct flow *f, point *to, double scale, double add, const point *from) {
#pragma omp for schedule(static)
  for (int z = 1; z < f->n - 1; z++)
    for (int y = 1; y < f->n - 1; y++)
      for (int x = 1; x < f->n - 1; x++)
        for (int m = 0; m < VARS; m++) {
          size_t i = at(f, x, y, z);
          to[i][m] = scale * to[i][m] + add * from[i][m];
        }
}

static void iterate(struct flow *f, int iterations) {
#pragma omp parallel
  {
    compute_residual(f);
    for (int step = 0; step < iterations; step++) {
      combine(f, f->rsd, f->dt, 0.0, (const point *)f->rsd);
      sweep_lower(f);
      sweep_upper(f);
      combine(f, f->u, 1.0, 1.0 / (OMEGA * (2.0 - OMEGA)), (const point *)f->rsd);
      compute_residual(f);
    }
  }
}

/* Root mean squares over the interior: of the residual, and of u against the exact solution. */
static void norms(const struct flow *f, point residual, point error) {
  double points = pow(f->n - 2, 3);
  memset(residual, 0, sizeof(point));
  memset(error, 0, sizeof(point));
  for (int z = 1; z < f->n - 1; z++)
    for (int y = 1; y < f->n - 1; y++)
      for (int x = 1; x < f->n - 1; x++) {
        point want;
        exact(f, x, y, z, want);
        const double *r = f->rsd[at(f, x, y, z)], *u = f->u[at(f, x, y, z)];
        for (int m = 0; m < VARS; m++) {
          residual[m] += r[m] * r[m];
          error[m] += (want[m] - u[m]) * (want[m] - u[m]);
        }
      }
  for (int m = 0; m < VARS; m++) {
    residual[m] = sqrt(residual[m] / points);
    error[m] = sqrt(error[m] / points);
  }
}

static double pressure(const struct flow *f, int x, int y, int z) {
  const double *u = f->u[at(f, x, y, z)];
  return C2 * (u[4] - 0.5 * (u[1] * u[1] + u[2] * u[2] + u[3] * u[3]) / u[0]);
}

/* The block of points whose surface is integrated over (the specification's i1, i2, j1, j2, k1, k2, from 0). */
static double surface_integral(const struct flow *f) {
  const int low[3] = {1, 1, 2}, high[3] = {f->n - 2, f->n - 3, f->n - 2};
  double sum = 0.0;
  for (int d = 0; d < 3; d++) {
    int a = (d + 1) % 3, b = (d + 2) % 3;
    for (int side = 0; side < 2; side++)
      for (int i = low[a]; i < high[a]; i++)
        for (int j = low[b]; j < high[b]; j++)
          for (int corner = 0; corner < 4; corner++) {
            int where[3];
            where[d] = side ? high[d] : low[d];
            where[a] = i + (corner & 1);
            where[b] = j + (corner >> 1);
            sum += pressure(f, where[0], where[1], where[2]);
          }
  }
  return 0.25 * sum / (f->t3 * f->t3);
}

static double largest_error(const struct flow *f, const struct problem *p) {
  point residual, error;
  norms(f, residual, error);
  double largest = relative_error(surface_integral(f), p->integral);
  for (int m = 0; m < VARS; m++) {
    largest = fmax(largest, relative_error(residual[m], p->residual[m]));
    largest = fmax(largest, relative_error(error[m], p->error[m]));
  }
  return largest;
}

int run_lu(char class, int repeats, struct result *out) {
  for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; i++) {
    const struct problem *p = &CLASSES[i];
    if (p->class != class) continue;
    size_t points = (size_t)p->side * (size_t)p->side * (size_t)p->side;
    double t3 = p->side - 1;
    struct flow f = {p->side, p->dt, t3 * t3, 0.5 * t3, t3, allocate(points, sizeof(point)),
                     allocate(points, sizeof(point)), allocate(points, sizeof(point))};
    prepare_sweeps(omp_get_max_threads());
    out->iterations = p->iterations;
    out->tolerance = 1e-8;
    for (int repeat = 0; repeat < repeats; repeat++) {
      initialise(&f);
      double start = now_seconds();
      iterate(&f, p->iterations);
      add_run(out, now_seconds() - start, largest_error(&f, p));
    }
    return 1;
  }
  return 0;
}
