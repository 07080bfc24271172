/*
 * The triangular solves of LU. A point needs its lower neighbours first, so threads share out y and follow each other
 * through the planes: a thread begins plane z when the one before it has finished its part of z. As in the OpenMP version of
 * NPB they wait by looking, without a system call: a vCPU that is switched out holds up all that come after it.
 */
#include <math.h>
#include <omp.h>
#include <stdatomic.h>

#include "common.h"
#include "lu.h"

static const double OMEGA = 1.2;

/* The last plane that a thread has finished; each on a cache line of its own. */
struct progress {
  _Alignas(128) atomic_int plane;
};
static struct progress *progress;

void prepare_sweeps(int threads) { progress = allocate((size_t)threads, sizeof *progress); }

typedef double matrix[VARS][VARS];

/* m += w * Jacobian of the Euler flux in direction `d`. */
static void add_euler(matrix m, const point u, int d, double w) {
  double r = 1.0 / u[0], speed = u[1 + d] * r;
  double square = (u[1] * u[1] + u[2] * u[2] + u[3] * u[3]) * r * r;
  m[0][1 + d] += w;
  for (int row = 1; row <= 3; row++) {
    m[row][0] -= w * u[row] * r * speed;
    m[row][1 + d] += w * u[row] * r;
    m[row][row] += w * speed;
    m[1 + d][row] -= w * C2 * u[row] * r;
  }
  m[1 + d][0] += w * 0.5 * C2 * square;
  m[1 + d][4] += w * C2;
  m[4][0] += w * (C2 * square - C1 * u[4] * r) * speed;
  for (int column = 1; column <= 3; column++) m[4][column] -= w * C2 * u[column] * r * speed;
  m[4][1 + d] += w * (C1 * u[4] * r - 0.5 * C2 * square);
  m[4][4] += w * C1 * speed;
}

/* m += w * (Jacobian of the viscous flux + second-difference damping) in direction `d`. */
static void add_viscous(matrix m, const point u, int d, double w) {
  const double c34 = C3 * C4, c1345 = C1 * C3 * C4 * C5;
  double r = 1.0 / u[0], squares = 0.0;
  for (int row = 1; row <= 3; row++) {
    double c = row == 1 + d ? 4.0 / 3.0 * c34 : c34;
    m[row][0] -= w * c * u[row] * r * r;
    m[row][row] += w * c * r;
    m[4][row] += w * (c - c1345) * u[row] * r * r;
    squares += (c - c1345) * u[row] * u[row];
  }
  m[4][0] -= w * (squares * r * r * r + c1345 * u[4] * r * r);
  m[4][4] += w * c1345 * r;
  for (int row = 0; row < VARS; row++) m[row][row] += w * DAMPING[d];
}

/* sum += (block that couples to the neighbour in direction `d`) * rsd of the neighbour. `side`: -1 lower, +1 upper. */
static void add_neighbour(const struct flow *f, size_t neighbour, int d, int side, point sum) {
  matrix m = {{0.0}};
  add_euler(m, f->u[neighbour], d, side * f->dt * f->t2);
  add_viscous(m, f->u[neighbour], d, -f->dt * f->t1);
  for (int row = 0; row < VARS; row++)
    for (int column = 0; column < VARS; column++) sum[row] += m[row][column] * f->rsd[neighbour][column];
}

/* Solves the diagonal block for `b`, in place. Its diagonal is dominant: no pivoting (the specification's own way). */
static void solve_diagonal(const struct flow *f, const point u, point b) {
  matrix m = {{0.0}};
  for (int d = 0; d < 3; d++) add_viscous(m, u, d, 2.0 * f->dt * f->t1);
  for (int row = 0; row < VARS; row++) m[row][row] += 1.0;
  for (int pivot = 0; pivot < VARS; pivot++) {
    for (int row = pivot + 1; row < VARS; row++) {
      double factor = m[row][pivot] / m[pivot][pivot];
      for (int column = pivot + 1; column < VARS; column++) m[row][column] -= factor * m[pivot][column];
      b[row] -= factor * b[pivot];
    }
  }
  for (int row = VARS - 1; row >= 0; row--) {
    for (int column = row + 1; column < VARS; column++) b[row] -= m[row][column] * b[column];
    b[row] /= m[row][row];
  }
}

static void relax(const struct flow *f, int x, int y, int z, int side) {
  size_t here = at(f, x, y, z);
  point sum = {0.0};
  add_neighbour(f, at(f, x + side, y, z), 0, side, sum);
  add_neighbour(f, at(f, x, y + side, z), 1, side, sum);
  add_neighbour(f, at(f, x, y, z + side), 2, side, sum);
  if (side < 0) {
    for (int m = 0; m < VARS; m++) f->rsd[here][m] -= OMEGA * sum[m];
    solve_diagonal(f, f->u[here], f->rsd[here]);
  } else {
    for (int m = 0; m < VARS; m++) sum[m] *= OMEGA;
    solve_diagonal(f, f->u[here], sum);
    for (int m = 0; m < VARS; m++) f->rsd[here][m] -= sum[m];
  }
}

static void wait_for(int thread, int plane) {
  while (atomic_load_explicit(&progress[thread].plane, memory_order_acquire) < plane) {
  }
}

/* One sweep. `ahead`: the thread that has to be first, or one that does not exist. */
static void sweep(const struct flow *f, int side, int thread, int threads, int ahead) {
  int inner = f->n - 2;
  int from = 1 + inner * thread / threads, to = 1 + inner * (thread + 1) / threads;
  for (int k = 1; k <= inner; k++) {
    if (ahead >= 0 && ahead < threads) wait_for(ahead, k);
    int z = side < 0 ? k : f->n - 1 - k;
    for (int j = 0; j < to - from; j++) {
      int y = side < 0 ? from + j : to - 1 - j;
      for (int i = 1; i <= inner; i++) relax(f, side < 0 ? i : f->n - 1 - i, y, z, side);
    }
    atomic_store_explicit(&progress[thread].plane, k, memory_order_release);
  }
}

static void run_sweep(const struct flow *f, int side) {
  int thread = omp_get_thread_num(), threads = omp_get_num_threads();
  atomic_store(&progress[thread].plane, 0);
#pragma omp barrier
  sweep(f, side, thread, threads, thread + side);
#pragma omp barrier
}

void sweep_lower(const struct flow *f) { run_sweep(f, -1); }
void sweep_upper(const struct flow *f) { run_sweep(f, 1); }
