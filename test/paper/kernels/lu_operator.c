/* The right-hand side of LU: fluxes, viscous terms and damping along the lines of each direction. */
#include "lu.h"

/* Coefficients of the polynomials in x, y and z (RNR-94-007, table 4.1). */
static const double CE[VARS][13] = {
    {2.0, 0.0, 0.0, 4.0, 5.0, 3.0, 0.5, 0.02, 0.01, 0.03, 0.5, 0.4, 0.3},
    {1.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 0.01, 0.03, 0.02, 0.4, 0.3, 0.5},
    {2.0, 2.0, 0.0, 0.0, 0.0, 2.0, 3.0, 0.04, 0.03, 0.05, 0.3, 0.5, 0.4},
    {2.0, 2.0, 0.0, 0.0, 0.0, 2.0, 3.0, 0.03, 0.05, 0.04, 0.2, 0.1, 0.3},
    {5.0, 4.0, 3.0, 2.0, 0.1, 0.4, 0.3, 0.05, 0.04, 0.03, 0.1, 0.3, 0.2},
};

void exact(const struct flow *f, int x, int y, int z, point value) {
  const double where[3] = {(double)x / (f->n - 1), (double)y / (f->n - 1), (double)z / (f->n - 1)};
  for (int m = 0; m < VARS; m++) {
    const double *c = CE[m];
    double sum = c[0];
    for (int d = 0; d < 3; d++) {
      double s = where[d];
      sum += s * (c[1 + d] + s * (c[4 + d] + s * (c[7 + d] + s * c[10 + d])));
    }
    value[m] = sum;
  }
}

/* Flux of the Euler equations in direction `d` (0: x). */
static void euler_flux(const point u, int d, point flux) {
  double speed = u[1 + d] / u[0];
  double kinetic = 0.5 * (u[1] * u[1] + u[2] * u[2] + u[3] * u[3]) / u[0];
  flux[0] = u[1 + d];
  for (int m = 1; m <= 3; m++) flux[m] = u[m] * speed;
  flux[1 + d] += C2 * (u[4] - kinetic);
  flux[4] = (C1 * u[4] - C2 * kinetic) * speed;
}

/* Viscous flux between two neighbours, `low` before `high`. The first variable has none. */
static void viscous_flux(const struct flow *f, const point low, const point high, int d, point flux) {
  double velocity_low[4], velocity_high[4], squares = 0.0;
  for (int m = 1; m <= 3; m++) {
    velocity_low[m] = low[m] / low[0];
    velocity_high[m] = high[m] / high[0];
    flux[m] = f->t3 * (velocity_high[m] - velocity_low[m]);
    squares += velocity_high[m] * velocity_high[m] - velocity_low[m] * velocity_low[m];
  }
  flux[1 + d] *= 4.0 / 3.0;
  double along = velocity_high[1 + d] * velocity_high[1 + d] - velocity_low[1 + d] * velocity_low[1 + d];
  flux[4] = 0.5 * (1.0 - C1 * C5) * f->t3 * squares + f->t3 / 6.0 * along +
            C1 * C5 * f->t3 * (high[4] / high[0] - low[4] / low[0]);
}

/* Fourth difference at `i`; next to the boundary it uses what there is. */
static double fourth_difference(const point *u, int i, int n, int m) {
  if (i == 1) return 5.0 * u[1][m] - 4.0 * u[2][m] + u[3][m];
  if (i == 2) return -4.0 * u[1][m] + 6.0 * u[2][m] - 4.0 * u[3][m] + u[4][m];
  if (i == n - 3) return u[i - 2][m] - 4.0 * u[i - 1][m] + 6.0 * u[i][m] - 4.0 * u[i + 1][m];
  if (i == n - 2) return u[i - 2][m] - 4.0 * u[i - 1][m] + 5.0 * u[i][m];
  return u[i - 2][m] - 4.0 * u[i - 1][m] + 6.0 * u[i][m] - 4.0 * u[i + 1][m] + u[i + 2][m];
}

/* One line of points; `out` is where its first point's result is, `step` points apart. */
static void add_line(const struct flow *f, const point *u, int d, point *out, size_t step) {
  int n = f->n;
  point euler[n], viscous[n];
  for (int i = 0; i < n; i++) euler_flux(u[i], d, euler[i]);
  for (int i = 1; i < n; i++) viscous_flux(f, u[i - 1], u[i], d, viscous[i]);
  for (int i = 1; i < n - 1; i++) {
    double *to = out[(size_t)i * step];
    for (int m = 0; m < VARS; m++) {
      double second = u[i - 1][m] - 2.0 * u[i][m] + u[i + 1][m];
      to[m] += -f->t2 * (euler[i + 1][m] - euler[i - 1][m]) + DAMPING[d] * f->t1 * second -
               DISSIPATION * fourth_difference(u, i, n, m);
      if (m > 0) to[m] += f->t3 * C3 * C4 * (viscous[i + 1][m] - viscous[i][m]);
    }
  }
}

static void add_direction(const struct flow *f, const point *u, point *out, int d) {
  size_t row = (size_t)f->n, plane = row * row;
  const size_t steps[3] = {1, row, plane};
  const size_t inner_steps[3] = {row, 1, 1}, outer_steps[3] = {plane, plane, row};
#pragma omp for schedule(static)
  for (int outer = 1; outer < f->n - 1; outer++) {
    point line[f->n];
    for (int inner = 1; inner < f->n - 1; inner++) {
      size_t first = (size_t)outer * outer_steps[d] + (size_t)inner * inner_steps[d];
      for (int i = 0; i < f->n; i++)
        for (int m = 0; m < VARS; m++) line[i][m] = u[first + (size_t)i * steps[d]][m];
      add_line(f, (const point *)line, d, out + first, steps[d]);
    }
  }
}

void add_operator(const struct flow *f, const point *u, point *out) {
  for (int d = 0; d < 3; d++) add_direction(f, u, out, d);
}
