/* What the parts of LU share: the compressible Navier-Stokes equations of RNR-94-007, section 4, on a cube. */
#ifndef PAPER_LU_H
#define PAPER_LU_H

#include <stddef.h>

enum { VARS = 5 }; /* density, three momenta, energy */

typedef double point[VARS];

struct flow {
  int n;             /* points along a side, the boundary included */
  double dt;
  double t1, t2, t3; /* 1/h^2, 1/2h, 1/h for the mesh width h */
  point *u, *rsd, *frct;
};

/* The specification's constants c1 .. c5. */
static const double C1 = 1.40, C2 = 0.40, C3 = 0.10, C4 = 1.00, C5 = 1.40;
/* Second-difference damping in the directions x, y, z (the same for all five variables). */
static const double DAMPING[3] = {0.75, 0.75, 1.00};
/* Fourth-difference damping: a quarter of the largest of those. */
static const double DISSIPATION = 0.25;

static inline size_t at(const struct flow *f, int x, int y, int z) {
  return ((size_t)z * (size_t)f->n + (size_t)y) * (size_t)f->n + (size_t)x;
}

/* The exact solution at a grid point. */
void exact(const struct flow *f, int x, int y, int z, point value);

/* out += L(u) at interior points. To be called by all threads of a parallel region; ends with a barrier. */
void add_operator(const struct flow *f, const point *u, point *out);

/* The two halves of an SSOR step on rsd. To be called by all threads of a parallel region. */
void sweep_lower(const struct flow *f);
void sweep_upper(const struct flow *f);
/* Makes room for what the sweeps' threads tell each other. */
void prepare_sweeps(int threads);

#endif
