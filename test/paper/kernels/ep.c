/*
 * EP, "embarrassingly parallel" (RNR-94-007, section 2.1): pairs of uniform numbers become pairs of Gaussian deviates by
 * the acceptance-rejection method; their sums are verified. Threads meet once, at the end.
 */
#include <math.h>

#include "common.h"

enum { BATCH_PAIRS = 1 << 16, ANNULI = 10 };
static const uint64_t SEED = 271828183;

static const struct {
  char class;
  int log2_pairs;
  double sum_x, sum_y;
} CLASSES[] = {
    {'S', 24, -3.247834652034740e3, -6.958407078382297e3},
    {'W', 25, -2.863319731645753e3, -6.320053679109499e3},
    {'A', 28, -4.295875165629892e3, -1.580732573678431e4},
};

struct sums {
  double x, y;
  double annuli[ANNULI]; /* deviates by the larger of their absolute values */
};

static void count_batch(uint64_t batch, struct sums *sums) {
  uint64_t state = random_skip(SEED, batch * 2 * BATCH_PAIRS);
  for (int i = 0; i < BATCH_PAIRS; i++) {
    double x = 2.0 * random_next(&state) - 1.0;
    double y = 2.0 * random_next(&state) - 1.0;
    double t = x * x + y * y;
    if (t > 1.0) continue;
    double scale = sqrt(-2.0 * log(t) / t);
    double dx = x * scale, dy = y * scale;
    sums->annuli[(int)fmax(fabs(dx), fabs(dy))] += 1.0;
    sums->x += dx;
    sums->y += dy;
  }
}

static void count_all(int64_t batches, struct sums *total) {
  double sum_x = 0.0, sum_y = 0.0;
#pragma omp parallel reduction(+ : sum_x, sum_y)
  {
    struct sums own = {0};
#pragma omp for schedule(static)
    for (int64_t batch = 0; batch < batches; batch++) count_batch((uint64_t)batch, &own);
    sum_x += own.x;
    sum_y += own.y;
    for (int i = 0; i < ANNULI; i++) {
#pragma omp atomic
      total->annuli[i] += own.annuli[i];
    }
  }
  total->x = sum_x;
  total->y = sum_y;
}

int run_ep(char class, int repeats, struct result *out) {
  for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; i++) {
    if (CLASSES[i].class != class) continue;
    out->iterations = 1;
    out->tolerance = 1e-8;
    for (int repeat = 0; repeat < repeats; repeat++) {
      struct sums total = {0};
      double start = now_seconds();
      count_all((INT64_C(1) << CLASSES[i].log2_pairs) / BATCH_PAIRS, &total);
      double seconds = now_seconds() - start;
      double error_x = relative_error(total.x, CLASSES[i].sum_x);
      add_run(out, seconds, fmax(error_x, relative_error(total.y, CLASSES[i].sum_y)));
    }
    return 1;
  }
  return 0;
}
