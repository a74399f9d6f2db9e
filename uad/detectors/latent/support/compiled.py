"""One-class SVMs in machine code: a voxel stays in the cache from Gram matrix to decision value.

The equations are those of ``active_set``, which solves the same duals in batches on any device. Here each
voxel is solved on its own, in single precision, on one core; the functions let go of the interpreter, so that threads
share the voxels. What single precision cannot tell is marked, and solved in double precision by the caller.

The inner loops are plain arithmetic on arrays padded with zeros, sums in any order, which compilers turn into vector
code. The vectors of a problem are kept together in ``w``: weights alpha, gradient K alpha, free, direction, its image,
nearest feasible point, first guess. All in one file, because the compiled code kept on disk is renewed when this
file changes, not when another does. Sums in any order are rounded as the code that holds them is compiled: each
function that is called from outside holds all that it calls (``machine_code``).
"""

from typing import NamedTuple

import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from synthpet.runtime.machine_code import machine_code

STEPS = (1, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 16, 24, 24, 32, 32)
"""Conjugate-gradient steps between two looks at the active sets: few while these still change, more where the kernel
is badly conditioned. Measured on white and on correlated vectors, n = 35 and 75."""

SINGLE_SPREAD = 0.1
"""Below this mean of 1 - k, single precision cannot tell the kernel's entries apart to the accuracy promised."""

AT_BOUND = 1e-5
"""A weight this close to one of its bounds counts as at it."""

N_STEPS = np.array(STEPS)
NEAR_BOUND = np.float32(AT_BOUND)
MAX_PAIRS = 2000
BLOCK = 16  # voxels whose vectors are fetched at a time: longer reads, and they still fit the second-level cache
INFINITY, ONE, HALF, ZERO = np.float32(np.inf), np.float32(1), np.float32(0.5), np.float32(0)
EPS, TINY = np.finfo(np.float32).eps, np.finfo(np.float32).tiny
LOG2_E = np.float32(np.log2(np.e))
# Taylor series of 2^f for |f| <= 1/2: what is left out is 1e-9 of the first term, rounding 6e-8.
TWO_TO = tuple(np.float32(np.log(2) ** k / np.prod(np.arange(1, k + 1.0))) for k in range(8))


_compile = machine_code(error_model="numpy", fastmath={"contract", "reassoc", "nsz", "nnan", "arcp"})


@intrinsic  # type: ignore[no-untyped-def]
def _float_of_bits(typing_context, bits):
    """The single-precision number with these 32 bits."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.int32), generate


@_compile
def _exp2(t):
    """2^t for t <= 0, to 2 units in the last place: plain arithmetic, so that loops over it become vector code."""
    t = min(max(t, np.float32(-126)), ZERO)
    whole = np.floor(t + HALF)
    f = t - whole
    value = TWO_TO[7]
    value = value * f + TWO_TO[6]
    value = value * f + TWO_TO[5]
    value = value * f + TWO_TO[4]
    value = value * f + TWO_TO[3]
    value = value * f + TWO_TO[2]
    value = value * f + TWO_TO[1]
    value = value * f + TWO_TO[0]
    return value * _float_of_bits(np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)))  # type: ignore[call-arg]


@_compile
def _expm1(t):
    """exp(t) - 1 for t <= 0 without loss of digits near 0, where a Taylor series stands for the difference."""
    series = np.float32(1 / 40320)
    for k in (5040, 720, 120, 24, 6, 2, 1):
        series = series * t + np.float32(1 / k)
    return series * t if t > np.float32(-0.35) else _exp2(t * LOG2_E) - ONE


@_compile
def _gram(x, gram):
    """Products of all rows of (m, d), m even: four sums at a time, so that each number read is used twice."""
    for i in range(0, len(x), 2):
        a, b = x[i], x[i + 1]
        for j in range(0, i + 2, 2):
            p, q = x[j], x[j + 1]
            ap = aq = bp = bq = ZERO
            for k in range(x.shape[1]):
                ap += a[k] * p[k]
                aq += a[k] * q[k]
                bp += b[k] * p[k]
                bq += b[k] * q[k]
            gram[i, j] = gram[j, i] = ap
            gram[i, j + 1] = gram[j + 1, i] = aq
            gram[i + 1, j] = gram[j, i + 1] = bp
            gram[i + 1, j + 1] = gram[j + 1, i + 1] = bq


@_compile
def _exponents(x, exponents, halves):
    """Minus half the squared distances between the rows of x; half their squared lengths."""
    _gram(x, exponents)
    for i in range(len(x)):
        halves[i] = exponents[i, i] * HALF
    for i in range(len(x)):
        row = exponents[i]
        for j in range(len(x)):
            row[j] -= halves[i] + halves[j]


@_compile
def _gaussian(exponents, gamma, n, kernel):
    """exp(-gamma D) of n vectors, from minus half the squared distances D."""
    scale = np.float32(2) * gamma * LOG2_E
    for i in range(n):
        row, out = exponents[i], kernel[i]
        for j in range(n):
            out[j] = _exp2(scale * row[j])


@_compile
def _times(kernel, x, y, n):
    """Write kernel x for a symmetric kernel to y: four rows at a time, to write y less often."""
    y[:] = ZERO
    whole = n - n % 4
    for j in range(0, whole, 4):
        a, b, c, d = kernel[j], kernel[j + 1], kernel[j + 2], kernel[j + 3]
        xa, xb, xc, xd = x[j], x[j + 1], x[j + 2], x[j + 3]
        for i in range(len(y)):
            y[i] += xa * a[i] + xb * b[i] + xc * c[i] + xd * d[i]
    for j in range(whole, n):
        a, xa = kernel[j], x[j]
        for i in range(len(y)):
            y[i] += xa * a[i]


@_compile
def _descend(kernel, cap, total, n, w, steps):
    """``active_set._descend`` for one problem; returns rho and violation, leaves the nearest feasible point in w."""
    alpha, gradient, free, direction, image, nearest, _ = w
    count = rho = norm = ZERO
    for i in range(len(alpha)):
        count += free[i]
        rho += free[i] * gradient[i]
    count = max(count, ONE)
    rho /= count
    for i in range(len(alpha)):
        residual = (rho - gradient[i]) * free[i]
        direction[i] = residual
        norm += residual * residual
    for step in range(steps):
        if step:
            before, norm = norm, ZERO
            for i in range(len(alpha)):
                residual = (rho - gradient[i]) * free[i]
                image[i] = residual
                norm += residual * residual
            share = norm / max(before, TINY)
            for i in range(len(alpha)):
                direction[i] = image[i] + share * direction[i]
        _times(kernel, direction, image, n)
        curvature = ZERO
        for i in range(len(alpha)):
            curvature += direction[i] * image[i]
        length = norm / max(max(curvature, EPS * norm), TINY)  # equal samples: a flat direction
        rho = ZERO
        for i in range(len(alpha)):
            alpha[i] += length * direction[i]
            gradient[i] += length * image[i]
            rho += free[i] * gradient[i]
        rho /= count
    violation = given = ZERO
    for i in range(len(alpha)):
        nearest[i] = min(max(alpha[i] - gradient[i] + rho, ZERO), cap[i])
        violation = max(violation, abs(alpha[i] - nearest[i]))
        given += alpha[i]
    return rho, max(violation, abs(given - total) / np.float32(n))


@_compile
def _next_sets(cap, total, w):
    """``active_set._next_sets`` for one problem: move to the bounds what lies beyond, the others make up for it."""
    alpha, free, nearest = w[0], w[2], w[5]
    count = given = ZERO
    for i in range(len(alpha)):
        free[i] = ONE if (nearest[i] > ZERO) & (nearest[i] < cap[i]) else ZERO
        count += free[i]
        alpha[i] = nearest[i] + free[i] * (alpha[i] - nearest[i])
        given += alpha[i]
    if count > ZERO:
        missing = (total - given) / count
        for i in range(len(alpha)):
            alpha[i] += free[i] * missing
    return count > ZERO


@_compile
def _level_pairs(kernel, cap, n, w, tolerance):
    """``smo.solve_pairwise`` for one problem from a feasible guess in w; returns rho and the gap left."""
    alpha, gradient = w[0], w[1]
    gap = rho = ZERO
    for _ in range(MAX_PAIRS):
        up = down = -1
        low, high = INFINITY, -INFINITY
        for i in range(n):
            if alpha[i] < cap[i] and gradient[i] < low:
                low, up = gradient[i], i
            if alpha[i] > ZERO and gradient[i] > high:
                high = gradient[i]
        gap, rho = max(high - low, ZERO), (high + low) * HALF
        if gap <= tolerance:
            break
        best = -ONE
        for i in range(n):
            descent = gradient[i] - low
            if alpha[i] > ZERO and descent > ZERO:
                curvature = max(np.float32(2) * (ONE - kernel[up, i]), EPS)
                if descent * descent > best * curvature:
                    best, down = descent * descent / curvature, i
        step = (gradient[down] - low) / max(np.float32(2) * (ONE - kernel[up, down]), EPS)
        step = min(min(step, cap[up] - alpha[up]), alpha[down])
        alpha[up] += step
        alpha[down] -= step
        for i in range(n):
            gradient[i] += step * (kernel[up, i] - kernel[down, i])
    count = total = ZERO
    for i in range(n):
        is_free = ONE if (alpha[i] > ZERO) & (alpha[i] < cap[i]) else ZERO
        count += is_free
        total += is_free * gradient[i]
    return (total / count if count > ZERO else rho), gap


@_compile
def _settle(alpha, gradient, cap, n, rho):
    """``dual._settle_rho`` for one problem: clamp the weights; LIBSVM's rho where none is free."""
    low, high, n_free = INFINITY, -INFINITY, 0
    for i in range(n):
        alpha[i] = min(max(alpha[i], ZERO), cap[i])
        n_free += (alpha[i] > NEAR_BOUND) & (alpha[i] < cap[i] - NEAR_BOUND)
    if n_free > 0:
        return rho
    for i in range(n):
        alpha[i] = ONE if alpha[i] > HALF else ZERO
        if cap[i] > ZERO and alpha[i] > ZERO:
            high = max(high, gradient[i])
        elif cap[i] > ZERO:
            low = min(low, gradient[i])
    if low == INFINITY or high == -INFINITY:  # one side is empty
        return high if low == INFINITY else low
    return (low + high) * HALF


@_compile
def _solve(kernel, cap, total, tol, n, w):
    """``active_set.solve`` for one problem from a feasible guess in w; returns rho, violation, tolerance, spread.

    Pairs of weights are levelled where active sets do not end: few vectors' weights are free, as at a large nu.
    """
    alpha, gradient, free, start = w[0], w[1], w[2], w[6]
    start[:] = alpha
    _times(kernel, alpha, gradient, n)
    level = ZERO
    for i in range(len(alpha)):
        level += alpha[i] * gradient[i]
        free[i] = ONE if (alpha[i] > ZERO) & (alpha[i] < cap[i]) else ZERO
    spread = ONE - level / (total * total)
    tolerance = tol * spread * total
    rho = violation = ZERO
    for turn in range(len(N_STEPS)):
        if turn:
            _times(kernel, alpha, gradient, n)
        rho, violation = _descend(kernel, cap, total, n, w, N_STEPS[turn])
        if violation <= tolerance or not _next_sets(cap, total, w):
            break
    if violation > tolerance:
        alpha[:] = start
        _times(kernel, alpha, gradient, n)
        rho, violation = _level_pairs(kernel, cap, n, w, tolerance)
    return _settle(alpha, gradient, cap, n, rho), violation, tolerance, spread


@_compile
def _value(alpha, scaled, total, rho, distance):
    """``dual.decision`` or ``dual.kernel_distance`` for one problem; ``scaled`` is -gamma |x - x_i|^2."""
    lost = ZERO
    for i in range(len(alpha)):
        lost += alpha[i] * _expm1(scaled[i])
    if not distance:
        return np.float64(lost) + (total - rho)
    if lost > -0.5 * total:
        return np.sqrt(max(-np.log1p(min(np.float64(lost) / total, 0.0)), 0.0))
    largest = -np.inf
    for i in range(len(alpha)):
        if alpha[i] > ZERO:
            largest = max(largest, np.float64(scaled[i]))
    near = 0.0
    for i in range(len(alpha)):
        if alpha[i] > ZERO:
            near += alpha[i] * np.exp(scaled[i] - largest)
    return np.sqrt(max(np.log(total) - largest - np.log(near), 0.0))


class Problem(NamedTuple):
    """What is asked of the machine at every voxel: its nu, the width (0 stands for "scale") and how exact it is."""

    nu: float
    gamma: float
    tol: float


class Machines(NamedTuple):
    """Solutions of n_voxels machines: ``alpha`` (n, n_voxels), all others (n_voxels,).

    ``violation``, ``tolerance`` and ``spread`` are those of ``dual``; ``level`` is finite where the
    vectors are.
    """

    alpha: NDArray[np.float32]
    rho: NDArray[np.float64]
    gamma: NDArray[np.float64]
    squared_norm: NDArray[np.float64]
    violation: NDArray[np.float32]
    tolerance: NDArray[np.float32]
    spread: NDArray[np.float32]
    level: NDArray[np.float32]

    def unsure(self) -> NDArray[np.bool_]:
        """Which of them need double precision."""
        return ~((self.violation <= self.tolerance) & (self.spread >= SINGLE_SPREAD))


@_compile
def _centre(vectors, n, means):
    """Take the mean off the first n vectors (.., d)."""
    means[:] = ZERO
    for i in range(n):
        vector = vectors[i]
        for k in range(len(means)):
            means[k] += vector[k]
    for k in range(len(means)):
        means[k] /= np.float32(n)
    for i in range(n):
        vector = vectors[i]
        for k in range(len(means)):
            vector[k] -= means[k]


@_compile
def _scale_gamma(halves, means, n):
    """1 / (d variance) of n centred vectors with these half squared lengths and mean, 1 where it is infinite."""
    inner = between = level = ZERO
    for i in range(n):
        inner += halves[i]
    for k in range(len(means)):
        level += means[k]
    level /= np.float32(len(means))
    for k in range(len(means)):
        between += (means[k] - level) ** 2
    variance = np.float32(2) * inner / np.float32(n) + between
    return ONE / variance if variance > ZERO else ONE


@_compile
def _fetch(latents, start, vectors):
    """Copy the vectors of some voxels, control by control as they lie in memory, to (voxels, n, d)."""
    for i in range(len(latents)):
        for v in range(len(vectors)):
            source, target = latents[i, start + v], vectors[v, i]
            for k in range(len(source)):
                target[k] = source[k]


@_compile
def _room(n, d):
    """Working memory, padded with zeros: vectors, means, half squared lengths, exponents, kernel, seven vectors."""
    padded = (n + 7) // 8 * 8
    vectors = np.zeros((BLOCK, n + n % 2, d), np.float32)
    square = np.zeros((2, padded, padded), np.float32)
    rows = np.zeros((8, padded), np.float32)
    w = (rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6])
    return vectors, np.empty(d, np.float32), rows[7], square[0], square[1], w


@_compile
def fit(latents, start, stop, problem, found):
    """Solve the machines of voxels ``start`` to ``stop`` of (n, n_voxels, d)."""
    n, _, d = latents.shape
    nu, gamma, tol = problem
    vectors, means, halves, exponents, kernel, w = _room(n, d)
    alpha, gradient = w[0], w[1]
    cap = np.zeros_like(alpha)
    cap[:n] = ONE
    total = np.float32(nu * n)
    for block in range(start, stop, BLOCK):
        n_block = min(BLOCK, stop - block)
        _fetch(latents, block, vectors[:n_block])
        for v in range(n_block):
            at = block + v
            _centre(vectors[v], n, means)
            _exponents(vectors[v], exponents, halves)
            width = np.float32(gamma) if gamma > 0 else _scale_gamma(halves, means, n)
            _gaussian(exponents, width, n, kernel)
            for i in range(n):
                alpha[i] = total / np.float32(n)
            rho, violation, tolerance, spread = _solve(kernel, cap, total, np.float32(tol), n, w)
            squared_norm = level = ZERO
            for i in range(n):
                found.alpha[i, at] = alpha[i]
                squared_norm += alpha[i] * gradient[i]
            for k in range(d):
                level += means[k]
            found.rho[at], found.gamma[at], found.squared_norm[at] = rho, width, squared_norm
            found.violation[at], found.tolerance[at], found.spread[at] = violation, tolerance, spread
            found.level[at] = level


@_compile
def score(latents, start, stop, machine, nu, query, distance, values):
    """Write the values (m, n_voxels) of m query brains (m, n_voxels, d) at voxels ``start`` to ``stop``.

    ``machine``: weights (n, n_voxels), offsets and widths (n_voxels,) of machines on (n, n_voxels, d).
    """
    n, _, d = latents.shape
    weights, rho, gamma = machine
    alpha, scaled = np.zeros(n, np.float32), np.empty((BLOCK, n), np.float32)
    for block in range(start, stop, BLOCK):
        n_block = min(BLOCK, stop - block)
        for q in range(len(query)):
            for i in range(n):
                for v in range(n_block):
                    x, y, squares = latents[i, block + v], query[q, block + v], ZERO
                    for k in range(d):
                        squares += (x[k] - y[k]) ** 2
                    scaled[v, i] = -np.float32(gamma[block + v]) * squares
            for v in range(n_block):
                for i in range(n):
                    alpha[i] = weights[i, block + v]
                values[q, block + v] = _value(alpha, scaled[v], nu * n, rho[block + v], distance)


@_compile
def _without(vectors, halves, means, left_out, n):
    """``_scale_gamma`` of all n centred vectors but one."""
    others, inner, between, level = np.float32(n - 1), ZERO, ZERO, ZERO
    for i in range(n):
        inner += halves[i]
    inner = np.float32(2) * (inner - halves[left_out] * np.float32(n) / others)
    for k in range(len(means)):
        level += means[k] - vectors[left_out, k] / others
    level /= np.float32(len(means))
    for k in range(len(means)):
        between += (means[k] - vectors[left_out, k] / others - level) ** 2
    variance = inner / others + between
    return ONE / variance if variance > ZERO else ONE


@_compile
def _start_without(weights, left_out, total, n, alpha):
    """A feasible guess of all weights but one from the solution with it: what is zero stays so where possible."""
    given = room = ZERO
    for i in range(n):
        alpha[i] = ZERO if i == left_out else min(max(weights[i], ZERO), ONE)
        given += alpha[i]
    share = total / max(given, EPS)
    given = ZERO
    for i in range(n):
        alpha[i] = min(alpha[i] * share, ONE)
        given += alpha[i]
        room += ZERO if i == left_out else ONE - alpha[i]
    missing = (total - given) / max(room, TINY)
    for i in range(n):
        alpha[i] += ZERO if i == left_out else (ONE - alpha[i]) * missing


@_compile
def leave_one_out(latents, start, stop, problem, weights, distance, values, unsure):
    """Write each control's value (n, n_voxels) from machines without it; ``unsure`` (n_voxels,) as for ``fit``.

    ``weights`` (n, n_voxels) are those of the machines with everybody.
    """
    n, _, d = latents.shape
    nu, gamma, tol = problem
    vectors, means, halves, exponents, kernel, w = _room(n, d)
    alpha, cap, scaled = w[0], np.zeros_like(w[0]), np.zeros_like(w[0])
    cap[:n] = ONE
    total = np.float32(nu * (n - 1))
    for block in range(start, stop, BLOCK):
        n_block = min(BLOCK, stop - block)
        _fetch(latents, block, vectors[:n_block])
        for v in range(n_block):
            at = block + v
            _centre(vectors[v], n, means)
            _exponents(vectors[v], exponents, halves)
            unsure[at] = False
            for c in range(n):
                width = np.float32(gamma) if gamma > 0 else _without(vectors[v], halves, means, c, n)
                _gaussian(exponents, width, n, kernel)
                _start_without(weights[:, at], c, total, n, alpha)
                cap[c] = ZERO
                rho, violation, tolerance, spread = _solve(kernel, cap, total, np.float32(tol), n, w)
                cap[c] = ONE
                for i in range(n):
                    scaled[i] = np.float32(2) * width * exponents[c, i]
                unsure[at] |= not ((violation <= tolerance) & (spread >= SINGLE_SPREAD))
                values[c, at] = _value(alpha, scaled, nu * (n - 1), rho, distance)
