/*
 * npb KERNEL CLASS [REPEATS]: runs one kernel, prints one JSON line, and ends with 0 when the published values were reproduced, 1 when
 * not, 2 when it was asked for something that it does not have. Threads: OMP_NUM_THREADS.
 */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

static const struct {
  const char *name;
  int (*run)(char class, int repeats, struct result *out);
} KERNELS[] = {
    {"EP", run_ep}, {"CG", run_cg}, {"MG", run_mg}, {"FT", run_ft}, {"IS", run_is}, {"LU", run_lu},
};

static int run_named(const char *name, char class, int repeats, struct result *out) {
  for (size_t i = 0; i < sizeof KERNELS / sizeof *KERNELS; i++) {
    if (strcmp(KERNELS[i].name, name) == 0) return KERNELS[i].run(class, repeats, out);
  }
  return 0;
}

int main(int argc, char **argv) {
  int repeats = argc == 4 ? atoi(argv[3]) : 1;
  if (argc < 3 || argc > 4 || strlen(argv[2]) != 1 || repeats < 1) {
    fprintf(stderr, "usage: npb EP|CG|MG|FT|IS|LU S|W|A [REPEATS]\n");
    return 2;
  }
  struct result result = {0};
  if (!run_named(argv[1], argv[2][0], repeats, &result)) {
    fprintf(stderr, "npb: no kernel %s of class %s\n", argv[1], argv[2]);
    return 2;
  }
  int verified = result.error <= result.tolerance;
  /* JSON has no infinity: an error that is not a number is told as one that no tolerance admits. */
  double error = isfinite(result.error) ? result.error : 1e300;
  printf("{\"kernel\":\"%s\",\"class\":\"%s\",\"threads\":%d,\"repeats\":%d,\"seconds\":%.6f,\"verified\":%s,\"error\":%.3e,"
         "\"tolerance\":%.1e,\"iterations\":%d}\n",
         argv[1], argv[2], omp_get_max_threads(), repeats, result.seconds, verified ? "true" : "false", error,
         result.tolerance, result.iterations);
  return verified ? 0 : 1;
}
