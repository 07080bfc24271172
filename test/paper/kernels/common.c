/* Shared by all kernels; see common.h. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const uint64_t MULTIPLIER = 1220703125; /* 5^13 */
static const uint64_t MASK = (UINT64_C(1) << 46) - 1;
static const double SCALE = 1.0 / 70368744177664.0; /* 2^-46 */

/* Products are taken modulo 2^64, of which 2^46 is a divisor: the low 46 bits are exact. */
double random_next(uint64_t *x) {
  *x = (*x * MULTIPLIER) & MASK;
  return (double)*x * SCALE;
}

uint64_t random_skip(uint64_t x, uint64_t count) {
  uint64_t power = MULTIPLIER;
  for (; count > 0; count >>= 1) {
    if (count & 1) x = (x * power) & MASK;
    power = (power * power) & MASK;
  }
  return x;
}

void *allocate(size_t count, size_t bytes) {
  void *memory = NULL;
  if (posix_memalign(&memory, 4096, count * bytes) != 0) {
    fprintf(stderr, "no memory for %zu x %zu bytes\n", count, bytes);
    exit(3);
  }
  memset(memory, 0, count * bytes);
  return memory;
}

double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double relative_error(double got, double want) {
  double error = fabs((got - want) / want);
  return isnan(error) ? INFINITY : error;
}

void add_run(struct result *out, double seconds, double error) {
  out->seconds += seconds;
  out->error = fmax(out->error, isnan(error) ? INFINITY : error);
}
