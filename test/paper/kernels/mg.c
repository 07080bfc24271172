/*
 * MG, "multigrid" (RNR-94-007, section 2.4): V-cycles for a Poisson problem on a periodic cube, right side +1 at ten random
 * points and -1 at ten others. Coarse grids have little work between the barriers.
 */
#include <math.h>
#include <stdlib.h>

#include "common.h"
#include "mg_grid.h"

enum { LEVELS_MAX = 12, CHARGES = 10, CYCLES = 4 };
static const uint64_t SEED = 314159265;
static const struct stencil A = {-8.0 / 3.0, 0.0, 1.0 / 6.0, 1.0 / 12.0};
static const struct stencil SMOOTHER = {-3.0 / 8.0, 1.0 / 32.0, -1.0 / 64.0, 0.0};

static const struct {
  char class;
  int log2_side;
  double norm;
} CLASSES[] = {
    {'S', 5, 0.5307707005734e-04},
    {'W', 7, 0.6467329375339e-05},
    {'A', 8, 0.2433365309069e-05},
};

struct multigrid {
  int top; /* level of the finest grid; level 1 has two points along a side */
  struct grid u[LEVELS_MAX], r[LEVELS_MAX], v;
};

/* The ten most extreme so far, the least extreme last. */
struct extremes {
  double value[CHARGES];
  size_t index[CHARGES];
  int count;
};

static void consider(struct extremes *e, double value, size_t index) {
  if (e->count == CHARGES && value <= e->value[CHARGES - 1]) return;
  int at = e->count < CHARGES ? e->count++ : CHARGES - 1;
  for (; at > 0 && e->value[at - 1] < value; at--) {
    e->value[at] = e->value[at - 1];
    e->index[at] = e->index[at - 1];
  }
  e->value[at] = value;
  e->index[at] = index;
}

static void charge(const struct grid *v, const struct extremes *where, double value) {
  size_t n = (size_t)v->n;
  for (int i = 0; i < where->count; i++) {
    size_t index = where->index[i];
    row_of(v, (int)(index / (n * n)) + 1, (int)(index / n % n) + 1)[index % n + 1] = value;
  }
}

/* Charges where the random numbers, laid out over the cube with x fastest, are largest and smallest. */
static void set_right_side(const struct grid *v) {
  struct extremes largest = {.count = 0}, smallest = {.count = 0};
  uint64_t state = SEED;
  size_t points = (size_t)v->n * (size_t)v->n * (size_t)v->n;
  for (size_t i = 0; i < points; i++) {
    double value = random_next(&state);
    consider(&largest, value, i);
    consider(&smallest, -value, i);
  }
  clear(v);
  charge(v, &largest, 1.0);
  charge(v, &smallest, -1.0);
  wrap_around(v);
}

static void cycle(struct multigrid *m) {
  for (int k = m->top; k > 1; k--) restrict_to(&m->r[k], &m->r[k - 1]);
  clear(&m->u[1]);
  smooth(&m->r[1], &m->u[1], &SMOOTHER);
  for (int k = 2; k < m->top; k++) {
    clear(&m->u[k]);
    interpolate(&m->u[k - 1], &m->u[k]);
    residual(&m->u[k], &m->r[k], &m->r[k], &A);
    smooth(&m->r[k], &m->u[k], &SMOOTHER);
  }
  interpolate(&m->u[m->top - 1], &m->u[m->top]);
  residual(&m->u[m->top], &m->v, &m->r[m->top], &A);
  smooth(&m->r[m->top], &m->u[m->top], &SMOOTHER);
  residual(&m->u[m->top], &m->v, &m->r[m->top], &A);
}

static double solve(struct multigrid *m, int cycles) {
  clear(&m->u[m->top]);
  residual(&m->u[m->top], &m->v, &m->r[m->top], &A);
  for (int i = 0; i < cycles; i++) cycle(m);
  return norm_of(&m->r[m->top]);
}

int run_mg(char class, int repeats, struct result *out) {
  for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; i++) {
    if (CLASSES[i].class != class) continue;
    struct multigrid m = {.top = CLASSES[i].log2_side};
    for (int k = 1; k <= m.top; k++) m.u[k] = make_grid(1 << k), m.r[k] = make_grid(1 << k);
    m.v = make_grid(1 << m.top);
    set_right_side(&m.v);
    solve(&m, 1); /* brings pages and threads up; not timed */
    out->iterations = CYCLES;
    out->tolerance = 1e-8;
    for (int repeat = 0; repeat < repeats; repeat++) {
      double start = now_seconds();
      double norm = solve(&m, CYCLES);
      add_run(out, now_seconds() - start, relative_error(norm, CLASSES[i].norm));
    }
    return 1;
  }
  return 0;
}
