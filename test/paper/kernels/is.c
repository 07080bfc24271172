/*
 * IS, "integer sort" (RNR-94-007, section 2.5): ranks of keys by counting, ten times, with two keys changed each time. Every
 * thread counts for itself; the counts are then summed and turned into ranks by all together.
 */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

enum { ITERATIONS = 10, PROBES = 5 };
static const uint64_t SEED = 314159265;

/* A probe's rank in iteration i is rank + sign * (i + offset). */
struct probe {
  int index, rank, sign, offset;
};

static const struct sorting {
  char class;
  int log2_keys, log2_max_key;
  struct probe probes[PROBES];
} CLASSES[] = {
    {'S', 16, 11, {{48427, 0, 1, 0}, {17148, 18, 1, 0}, {23627, 346, 1, 0}, {62548, 64917, -1, 0}, {4431, 65463, -1, 0}}},
    {'W', 20, 16, {{357773, 1249, 1, -2}, {934767, 11698, 1, -2}, {875723, 1039987, -1, 0}, {898999, 1043896, -1, 0}, {404505, 1048018, -1, 0}}},
    {'A', 23, 19, {{2112377, 104, 1, -1}, {662041, 17523, 1, -1}, {5336171, 123928, 1, -1}, {3642833, 8288932, -1, -1}, {4250760, 8388264, -1, -1}}},
};

struct sort {
  int keys, max_key, threads;
  int *key;
  int *counts;    /* of each thread, one after the other */
  int *ranks;     /* how many keys are below each value */
  int *part_sums; /* of each thread's part of the values */
};

static void make_keys(struct sort *s) {
  double quarter = s->max_key / 4;
#pragma omp parallel for schedule(static)
  for (int i = 0; i < s->keys; i++) {
    uint64_t state = random_skip(SEED, 4 * (uint64_t)i);
    double sum = random_next(&state);
    for (int k = 1; k < 4; k++) sum += random_next(&state);
    s->key[i] = (int)(quarter * sum);
  }
}

/* Called by all threads. */
static void count_own(const struct sort *s, int *own) {
  memset(own, 0, (size_t)s->max_key * sizeof *own);
#pragma omp for schedule(static)
  for (int i = 0; i < s->keys; i++) own[s->key[i]]++;
}

static void rank_keys(struct sort *s) {
#pragma omp parallel num_threads(s->threads)
  {
    int thread = omp_get_thread_num();
    count_own(s, s->counts + (size_t)thread * (size_t)s->max_key);
    int from = (int)((int64_t)s->max_key * thread / s->threads);
    int to = (int)((int64_t)s->max_key * (thread + 1) / s->threads);
    int sum = 0;
    for (int value = from; value < to; value++) {
      s->ranks[value] = sum;
      for (int t = 0; t < s->threads; t++) sum += s->counts[(size_t)t * (size_t)s->max_key + (size_t)value];
    }
    s->part_sums[thread] = sum;
#pragma omp barrier
    int below = 0;
    for (int t = 0; t < thread; t++) below += s->part_sums[t];
    for (int value = from; value < to; value++) s->ranks[value] += below;
  }
}

static int wrong_probes(const struct sort *s, const struct probe *probes, const int *probed, int iteration) {
  int wrong = 0;
  for (int i = 0; i < PROBES; i++) {
    int want = probes[i].rank + probes[i].sign * (iteration + probes[i].offset);
    if (s->ranks[probed[i]] != want) wrong++;
  }
  return wrong;
}

/* Sorts by the last ranks, and counts neighbours in the wrong order and keys that no rank leads to. */
static int misplaced(const struct sort *s) {
  int *sorted = allocate((size_t)s->keys, sizeof *sorted);
  int *next = allocate((size_t)s->max_key, sizeof *next);
  int wrong = 0;
  memcpy(next, s->ranks, (size_t)s->max_key * sizeof *next);
  for (int i = 0; i < s->keys; i++) {
    int at = next[s->key[i]]++;
    if (at < 0 || at >= s->keys) wrong++;
    else sorted[at] = s->key[i];
  }
  for (int i = 1; i < s->keys; i++) wrong += sorted[i - 1] > sorted[i];
  free(sorted), free(next);
  return wrong;
}

/* Iterations change keys at the beginning: `original` brings them back, so that repetitions are alike. */
static void sort_once(const struct sorting *c, struct sort *s, const int *original, struct result *out) {
  int wrong = 0;
  memcpy(s->key, original, (2 * ITERATIONS + 1) * sizeof *original);
  double start = now_seconds();
  for (int iteration = 1; iteration <= ITERATIONS; iteration++) {
    s->key[iteration] = iteration;
    s->key[iteration + ITERATIONS] = s->max_key - iteration;
    int probed[PROBES];
    for (int i = 0; i < PROBES; i++) probed[i] = s->key[c->probes[i].index];
    rank_keys(s);
    wrong += wrong_probes(s, c->probes, probed, iteration);
  }
  double seconds = now_seconds() - start;
  add_run(out, seconds, wrong + misplaced(s));
}

static void sort_class(const struct sorting *c, int repeats, struct result *out) {
  struct sort s = {1 << c->log2_keys, 1 << c->log2_max_key, omp_get_max_threads(), NULL, NULL, NULL, NULL};
  s.key = allocate((size_t)s.keys, sizeof *s.key);
  s.counts = allocate((size_t)s.threads * (size_t)s.max_key, sizeof *s.counts);
  s.ranks = allocate((size_t)s.max_key, sizeof *s.ranks);
  s.part_sums = allocate((size_t)s.threads, sizeof *s.part_sums);
  make_keys(&s);
  rank_keys(&s); /* brings pages and threads up; not timed */
  out->iterations = ITERATIONS;
  out->tolerance = 0.0; /* ranks are whole numbers */
  int original[2 * ITERATIONS + 1];
  memcpy(original, s.key, sizeof original);
  for (int repeat = 0; repeat < repeats; repeat++) sort_once(c, &s, original, out);
}

int run_is(char class, int repeats, struct result *out) {
  for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; i++) {
    if (CLASSES[i].class != class) continue;
    sort_class(&CLASSES[i], repeats, out);
    return 1;
  }
  return 0;
}
