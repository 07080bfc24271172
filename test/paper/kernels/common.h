/* What the kernels share: the generator of the specification, aligned memory, time, and the form of a result. */
#ifndef PAPER_COMMON_H
#define PAPER_COMMON_H

#include <stddef.h>
#include <stdint.h>

/* x' = 5^13 x mod 2^46; a number in (0, 1) is x' / 2^46 (RNR-94-007, section 2.2). */
double random_next(uint64_t *x);
/* The state after `count` further numbers: lets every thread begin in the middle of the sequence. */
uint64_t random_skip(uint64_t x, uint64_t count);

/* Zeroed memory on a page boundary. Ends the program when there is none. */
void *allocate(size_t count, size_t bytes);

double now_seconds(void);

struct result {
  double seconds;    /* of the part that NPB times; all repetitions together */
  double error;      /* largest relative difference from the published values, of any repetition; of IS: how many ranks are wrong */
  double tolerance;  /* NPB's own */
  int iterations;
};

/* |got - want| / |want|, or infinite where `got` is not a number: a NaN must never pass. */
double relative_error(double got, double want);

/* What a kernel's timed part took, and how wrong it was, added to `out`. */
void add_run(struct result *out, double seconds, double error);

/* Each sets up once, runs the timed part `repeats` times, and fills in `out`; 0 where it does not know the class. */
int run_ep(char class, int repeats, struct result *out);
int run_cg(char class, int repeats, struct result *out);
int run_mg(char class, int repeats, struct result *out);
int run_ft(char class, int repeats, struct result *out);
int run_is(char class, int repeats, struct result *out);
int run_lu(char class, int repeats, struct result *out);

#endif
