/*
 * pc PERIOD_MS WORK [SECONDS]: a light and regular user, one fixed piece of work each period, until SIGTERM or the seconds are
 * over. Prints one JSON line: how many pieces, how many had to be left out because the time for them was over, and how long they took
 * from when they were due.
 * pc calibrate: how many units of work take one millisecond when nothing disturbs (the best of many tries).
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LATENCIES_MAX = 1 << 18, UNIT_TURNS = 1000, TRIES = 40 };
static volatile sig_atomic_t is_over;
static double latencies_ms[LATENCIES_MAX];

static void end(int signal) {
  (void)signal;
  is_over = 1;
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static void sleep_until(double at_ms) {
  struct timespec at = {(time_t)(at_ms / 1e3), (long)(fmod(at_ms, 1e3) * 1e6)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR && !is_over) {
  }
}

/* The result is used, so that the compiler cannot leave the work out. */
static uint64_t work(int64_t units) {
  uint64_t x = 88172645463325252u;
  for (int64_t i = 0; i < units * UNIT_TURNS; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
  return x;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int calibrate(void) {
  double best_ms = INFINITY;
  uint64_t sum = 0;
  for (int i = 0; i < TRIES; i++) {
    double start = now_ms();
    sum += work(200);
    best_ms = fmin(best_ms, now_ms() - start);
  }
  printf("{\"unitsPerMs\":%.3f,\"sum\":%d}\n", 200.0 / best_ms, (int)(sum & 1));
  return 0;
}

static double quantile(int count, double part) {
  return count == 0 ? 0.0 : latencies_ms[(int)(part * (count - 1) + 0.5)];
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "calibrate") == 0) return calibrate();
  if (argc < 3 || atof(argv[1]) <= 0 || atoll(argv[2]) <= 0) {
    fprintf(stderr, "usage: pc PERIOD_MS WORK [SECONDS] | pc calibrate\n");
    return 2;
  }
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, NULL);
  double period_ms = atof(argv[1]), start_ms = now_ms();
  double end_ms = argc > 3 ? start_ms + 1e3 * atof(argv[3]) : INFINITY;
  uint64_t sum = 0;
  int count = 0, missed = 0;
  for (double due_ms = start_ms; !is_over && due_ms < end_ms && count < LATENCIES_MAX; due_ms += period_ms) {
    sleep_until(due_ms);
    if (is_over) break;
    sum += work(atoll(argv[2]));
    latencies_ms[count++] = now_ms() - due_ms; /* also the time by which the one before was late */
    /* A user does not catch up with what is over: else one stall would make everything late that comes after. */
    for (; now_ms() > due_ms + 2.0 * period_ms; due_ms += period_ms) missed++;
  }
  qsort(latencies_ms, (size_t)count, sizeof *latencies_ms, ascending);
  printf("{\"done\":%d,\"missed\":%d,\"seconds\":%.3f,\"p50Ms\":%.3f,\"p99Ms\":%.3f,\"maxMs\":%.3f,\"sum\":%d}\n", count, missed,
         (now_ms() - start_ms) / 1e3, quantile(count, 0.5), quantile(count, 0.99), quantile(count, 1.0), (int)(sum & 1));
  return 0;
}
