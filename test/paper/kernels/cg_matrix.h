/* The sparse matrix of CG, by rows. */
#ifndef PAPER_CG_MATRIX_H
#define PAPER_CG_MATRIX_H

struct matrix {
  int rows;
  int *first;    /* where each row begins in the two below; one more than there are rows */
  int *column;
  double *value;
};

/* The matrix of RNR-94-007, section 2.3.5: condition number about 10, then moved by -shift along the diagonal. */
struct matrix make_matrix(int rows, int nonzeros, double shift);

#endif
