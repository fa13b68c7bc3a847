"""Linear algebra: TensorFlow 1's `tf.linalg`."""

from thalweg.graph import calls as _calls
from thalweg.ops.linalg.band import matrix_band_part as band_part
from thalweg.ops.linalg.band import matrix_diag as diag
from thalweg.ops.linalg.cholesky import cholesky, cholesky_solve
from thalweg.ops.linalg.determinant import log_matrix_determinant as slogdet
from thalweg.ops.linalg.determinant import matrix_determinant as det
from thalweg.ops.linalg.eigen import self_adjoint_eig as eigh
from thalweg.ops.linalg.eigen import self_adjoint_eigvals as eigvalsh
from thalweg.ops.linalg.matmul import matmul
from thalweg.ops.linalg.matrices import matrix_transpose
from thalweg.ops.linalg.matrices import matrix_transpose as transpose
from thalweg.ops.linalg.qr import qr
from thalweg.ops.linalg.solve import matrix_inverse as inv
from thalweg.ops.linalg.solve import matrix_solve as solve
from thalweg.ops.linalg.solve import matrix_solve_ls as lstsq
from thalweg.ops.linalg.svd import svd
from thalweg.ops.linalg.triangular import matrix_triangular_solve as triangular_solve

__all__ = [
    "band_part",
    "cholesky",
    "cholesky_solve",
    "det",
    "diag",
    "eigh",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_transpose",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "transpose",
    "triangular_solve",
]

_calls.explain_errors(globals(), __all__)
