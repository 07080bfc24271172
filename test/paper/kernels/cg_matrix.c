/*
 * A = sum of w_i x_i x_i^T + (0.1 - shift) I, where x_i is a sparse random vector whose i-th element is 0.5 and the
 * weights w_i fall geometrically from 1 to 0.1.
 */
#include "cg_matrix.h"

#include <math.h>
#include <stdlib.h>

#include "common.h"

static const uint64_t SEED = 314159265;
static const double CONDITION = 0.1;

struct sparse {
  int count;
  int *index;
  double *value;
};

static int position_of(const struct sparse *vector, int index) {
  for (int k = 0; k < vector->count; k++) {
    if (vector->index[k] == index) return k;
  }
  return -1;
}

static void put(struct sparse *vector, int index, double value) {
  int at = position_of(vector, index);
  if (at < 0) at = vector->count++;
  vector->index[at] = index;
  vector->value[at] = value;
}

/* `nonzeros` elements at different places; a place outside or taken costs its two random numbers. */
static struct sparse random_vector(uint64_t *state, int rows, int nonzeros, int own) {
  struct sparse vector = {0, allocate((size_t)nonzeros + 1, sizeof(int)), allocate((size_t)nonzeros + 1, 8)};
  int range = 1;
  while (range < rows) range *= 2;
  while (vector.count < nonzeros) {
    double value = random_next(state);
    int index = (int)(range * random_next(state));
    if (index < rows && position_of(&vector, index) < 0) put(&vector, index, value);
  }
  put(&vector, own, 0.5);
  return vector;
}

/* For each row the vectors that have an element there: what a row is a sum of. */
struct membership {
  int *first, *vector;
};

static struct membership find_members(const struct sparse *vectors, int rows) {
  struct membership members = {allocate((size_t)rows + 1, sizeof(int)), NULL};
  for (int i = 0; i < rows; i++)
    for (int k = 0; k < vectors[i].count; k++) members.first[vectors[i].index[k] + 1]++;
  for (int row = 0; row < rows; row++) members.first[row + 1] += members.first[row];
  members.vector = allocate((size_t)members.first[rows], sizeof(int));
  int *next = allocate((size_t)rows, sizeof(int));
  for (int i = 0; i < rows; i++) {
    for (int k = 0; k < vectors[i].count; k++) {
      int row = vectors[i].index[k];
      members.vector[members.first[row] + next[row]++] = i;
    }
  }
  free(next);
  return members;
}

static int ascending(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* One row in `dense` (zero before), its columns in `columns`, ascending. Returns how many. */
static int sum_row(int row, const struct sparse *vectors, const struct membership *members, int rows,
                   double *dense, char *used, int *columns) {
  int count = 0;
  double ratio = pow(CONDITION, 1.0 / rows);
  for (int m = members->first[row]; m < members->first[row + 1]; m++) {
    const struct sparse *x = &vectors[members->vector[m]];
    double scale = pow(ratio, members->vector[m]) * x->value[position_of(x, row)];
    for (int k = 0; k < x->count; k++) {
      int column = x->index[k];
      if (!used[column]) {
        used[column] = 1;
        columns[count++] = column;
      }
      dense[column] += scale * x->value[k];
    }
  }
  qsort(columns, (size_t)count, sizeof *columns, ascending);
  return count;
}

struct matrix make_matrix(int rows, int nonzeros, double shift) {
  size_t n = (size_t)rows;
  struct sparse *vectors = allocate(n, sizeof *vectors);
  uint64_t state = random_skip(SEED, 1); /* the specification's program has used one number before */
  for (int i = 0; i < rows; i++) vectors[i] = random_vector(&state, rows, nonzeros, i);
  struct membership members = find_members(vectors, rows);
  size_t most = n * ((size_t)nonzeros + 1) * ((size_t)nonzeros + 1);
  struct matrix a = {rows, allocate(n + 1, sizeof(int)), allocate(most, sizeof(int)), allocate(most, 8)};
  double *dense = allocate(n, 8);
  char *used = allocate(n, 1);
  int *columns = allocate(n, sizeof(int));
  for (int row = 0; row < rows; row++) {
    int count = sum_row(row, vectors, &members, rows, dense, used, columns);
    dense[row] += CONDITION - shift; /* every row has its diagonal: its own vector is 0.5 there */
    a.first[row + 1] = a.first[row] + count;
    for (int k = 0; k < count; k++) {
      a.column[a.first[row] + k] = columns[k];
      a.value[a.first[row] + k] = dense[columns[k]];
      dense[columns[k]] = 0.0;
      used[columns[k]] = 0;
    }
  }
  free(dense), free(used), free(columns), free(members.first), free(members.vector);
  for (int i = 0; i < rows; i++) free(vectors[i].index), free(vectors[i].value);
  free(vectors);
  return a;
}
