/* Periodic cubes of MG, with one layer of copies around them. */
#ifndef PAPER_MG_GRID_H
#define PAPER_MG_GRID_H

#include <stddef.h>

struct grid {
  int n;        /* points along a side, without the copies */
  double *at;   /* (n + 2)^3 values, x fastest */
};

struct grid make_grid(int n);

static inline double *row_of(const struct grid *g, int z, int y) {
  size_t side = (size_t)g->n + 2;
  return g->at + ((size_t)z * side + (size_t)y) * side;
}

/* Brings the copies up to date. Called by one thread outside of parallel regions. */
void wrap_around(const struct grid *g);

/* What a point gets from itself, its 6 faces, 12 edges and 8 corners (RNR-94-007, section 2.4). */
struct stencil {
  double centre, face, edge, corner;
};

/* r = v - A u */
void residual(const struct grid *u, const struct grid *v, const struct grid *r, const struct stencil *a);
/* u = u + S r */
void smooth(const struct grid *r, const struct grid *u, const struct stencil *s);
/* coarse = P fine: full weighting, 1/2, 1/4, 1/8, 1/16 */
void restrict_to(const struct grid *fine, const struct grid *coarse);
/* fine = fine + Q coarse: trilinear */
void interpolate(const struct grid *coarse, const struct grid *fine);
void clear(const struct grid *g);
/* sqrt of the mean of the squares */
double norm_of(const struct grid *g);

#endif
