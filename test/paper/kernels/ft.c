/*
 * FT (RNR-94-007, section 2.6): a diffusion equation solved by forward and inverse 3-D FFTs; a checksum of each step is
 * verified. Threads meet after each of the three directions.
 */
#include <complex.h>
#include <math.h>

#include "common.h"
#include "fft.h"

enum { STEPS = 6, CHECKSUM_TERMS = 1024 };
static const uint64_t SEED = 314159265;
static const double ALPHA = 1e-6;
static const double PI = 3.141592653589793238;

static const struct problem {
  char class;
  struct box box;
  double checksums[STEPS][2];
} CLASSES[] = {
    {'S', {64, 64, 64},
     {{554.6087004964, 484.5363331978}, {554.6385409189, 486.5304269511}, {554.6148406171, 488.3910722336},
      {554.5423607415, 490.1273169046}, {554.4255039624, 491.7475857993}, {554.2683411902, 493.2597244941}}},
    {'W', {128, 128, 32},
     {{567.3612178944, 529.3246849175}, {563.1436885271, 528.2149986629}, {559.4024089970, 527.0996558037},
      {556.0698047020, 526.0027904925}, {553.0898991250, 524.9400845633}, {550.4159734538, 523.9212247086}}},
    {'A', {256, 256, 128},
     {{504.6735008193, 511.4047905510}, {505.9412319734, 509.8809666433}, {506.9376896287, 509.8144042213},
      {507.7892868474, 510.1336130759}, {508.5233095391, 510.4914655194}, {509.1487099959, 510.7917842803}}},
};

static void fill_random(const struct box *box, double complex *u) {
  size_t plane = (size_t)box->nx * (size_t)box->ny;
#pragma omp parallel for schedule(static)
  for (int z = 0; z < box->nz; z++) {
    uint64_t state = random_skip(SEED, 2 * plane * (uint64_t)z);
    for (size_t i = 0; i < plane; i++) {
      double re = random_next(&state);
      double im = random_next(&state);
      u[plane * (size_t)z + i] = re + im * I;
    }
  }
}

/* Wave number of index `i` of `n`: 0 .. n/2 - 1, -n/2 .. -1. */
static double wave(int i, int n) { return i < n / 2 ? i : i - n; }

/* Moves the spectrum on by one step of time, and copies it to `w`. */
static void evolve(const struct box *box, double complex *spectrum, double complex *w) {
  double rate = -4.0 * ALPHA * PI * PI;
#pragma omp parallel for schedule(static)
  for (int z = 0; z < box->nz; z++) {
    double kz = wave(z, box->nz);
    for (int y = 0; y < box->ny; y++) {
      double ky = wave(y, box->ny);
      size_t row = ((size_t)z * (size_t)box->ny + (size_t)y) * (size_t)box->nx;
      for (int x = 0; x < box->nx; x++) {
        double kx = wave(x, box->nx);
        spectrum[row + (size_t)x] *= exp(rate * (kx * kx + ky * ky + kz * kz));
        w[row + (size_t)x] = spectrum[row + (size_t)x];
      }
    }
  }
}

static double complex checksum(const struct box *box, const double complex *u) {
  double re = 0.0, im = 0.0;
#pragma omp parallel for schedule(static) reduction(+ : re, im)
  for (int j = 1; j <= CHECKSUM_TERMS; j++) {
    size_t x = (size_t)(j % box->nx), y = (size_t)(3 * j % box->ny), z = (size_t)(5 * j % box->nz);
    double complex value = u[(z * (size_t)box->ny + y) * (size_t)box->nx + x];
    re += creal(value);
    im += cimag(value);
  }
  return re + im * I;
}

/* Returns the largest error of the steps' checksums. */
static double run_once(const struct problem *p, double complex *spectrum, double complex *w) {
  const struct box *box = &p->box;
  double points = (double)box->nx * box->ny * box->nz, largest = 0.0;
  fill_random(box, spectrum);
  transform(box, spectrum, -1);
  for (int step = 0; step < STEPS; step++) {
    evolve(box, spectrum, w);
    transform(box, w, 1);
    double complex want = p->checksums[step][0] + p->checksums[step][1] * I;
    double error = cabs((checksum(box, w) / points - want) / want);
    largest = isnan(error) ? INFINITY : fmax(largest, error);
  }
  return largest;
}

static void run_problem(const struct problem *p, int repeats, struct result *out) {
  size_t points = (size_t)p->box.nx * (size_t)p->box.ny * (size_t)p->box.nz;
  double complex *spectrum = allocate(points, sizeof *spectrum), *w = allocate(points, sizeof *w);
  out->iterations = STEPS;
  out->tolerance = 1e-12;
  for (int repeat = 0; repeat < repeats; repeat++) {
    double start = now_seconds();
    double error = run_once(p, spectrum, w);
    add_run(out, now_seconds() - start, error);
  }
}

int run_ft(char class, int repeats, struct result *out) {
  for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; i++) {
    if (CLASSES[i].class != class) continue;
    run_problem(&CLASSES[i], repeats, out);
    return 1;
  }
  return 0;
}
