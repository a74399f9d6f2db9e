"""A person's T1 to the template: affine and SyN by ANTs, affine by SimpleITK where ANTs is not installed.

Source: Avants et al., Med. Image Anal. 12 (2008) 26 (SyN); Mattes et al., IEEE TMI 22 (2003) 120 (the metric).
Not in the paper: 2 mm, the number of iterations.
"""

import os
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's customary name
from numpy.typing import NDArray

from synthpet.cohort.images import Grid
from synthpet.errors import DataError, UsageError
from synthpet.prepare.spaces.itk import antialias, coarser_grid, lps_geometry, one_thread, resample, to_itk
from synthpet.prepare.spaces.transform import Transform
from synthpet.template.icbm import template_grid, template_images

REGISTRATION_MM = 2.0
SYN_ITERATIONS = (40, 20, 0)  # at 8, 4 and 2 mm: the last level would follow the template's blurred folding
SCALE_RANGE = (0.5, 2.0)  # of the volume; anything else is no brain of a person

METHODS = {"syn": "affine + SyN", "affine": "affine", "rigid": "rigid (brain size differences remain)"}
Engine = Literal["ants", "simpleitk"]


def choose_engine(registration: str) -> Engine:
    """The installed engine for ``registration``.

    Raises:
        UsageError: an unknown registration, or ``syn`` without ANTs.
    """
    if registration not in METHODS:
        raise UsageError(f"registration={registration!r}: expected {', '.join(METHODS)}")
    try:
        version("antspyx")
    except PackageNotFoundError:
        if registration == "syn":
            raise UsageError(
                "registration=syn needs ANTs, which is not installed: `pip install antspyx`, "
                "or choose registration=affine or rigid (SimpleITK)"
            ) from None
        return "simpleitk"
    return "ants"


def describe_engine(engine: Engine, registration: str) -> str:
    """What was used, for the reader and the sidecars."""
    package = {"ants": "antspyx", "simpleitk": "SimpleITK"}[engine]
    return f"{package} {version(package)}, {METHODS[registration]}, Mattes mutual information, {REGISTRATION_MM:g} mm"


def register(
    t1w: NDArray[np.float32], grid: Grid, *, registration: str, engine: Engine, seed: int, name: str
) -> Transform:
    """Find where each point of the template lies in the native T1.

    Args:
        t1w: (I, J, K) on ``grid``, bias-corrected, zero outside the brain.
        grid: the native grid.
        registration: ``syn``, ``affine`` or ``rigid``.
        engine: as ``choose_engine`` says.
        seed: of the metric's random sampling.
        name: the subject, for messages.

    Raises:
        DataError: the affine mirrors the brain or changes its volume beyond what people differ by.
    """
    fixed_grid = template_grid(REGISTRATION_MM)
    template = template_images(fixed_grid)
    fixed = template.t1w * template.brain_mask
    coarse = coarser_grid(grid, REGISTRATION_MM)
    moving = resample(antialias(t1w, grid, REGISTRATION_MM), grid, coarse, sitk.Transform(3, sitk.sitkIdentity))
    find: dict[Engine, Callable[..., Transform]] = {"ants": _register_ants, "simpleitk": _register_simpleitk}
    transform = find[engine](fixed, fixed_grid, moving, coarse, registration=registration, seed=seed)
    volume = 1 / np.linalg.det(transform.matrix)
    if not SCALE_RANGE[0] <= volume <= SCALE_RANGE[1]:
        raise DataError(
            f"E_REGISTRATION {name}: the affine changes the brain's volume by a factor of {volume:.2f}; expected "
            f"{SCALE_RANGE[0]} to {SCALE_RANGE[1]}. Look at the T1's orientation and at the brain mask"
        )
    return transform


def _register_ants(
    fixed: NDArray, fixed_grid: Grid, moving: NDArray, moving_grid: Grid, *, registration: str, seed: int
) -> Transform:
    """By ANTs, of (I, J, K) images on their grids; SyN with its warps."""
    # ANTs reads both of its own, for every registration; antspyx's argument `random_seed` does nothing in 0.6.
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    os.environ["ANTS_RANDOM_SEED"] = str(seed + 1)  # zero would mean "from the clock"
    import ants

    def image(data: NDArray, grid: Grid) -> "ants.ANTsImage":
        origin, spacing, direction = lps_geometry(grid)
        return ants.from_numpy(
            np.asarray(data, np.float32), origin=origin.tolist(), spacing=spacing.tolist(), direction=direction
        )

    with tempfile.TemporaryDirectory() as folder:
        found = ants.registration(
            image(fixed, fixed_grid),
            image(moving, moving_grid),
            type_of_transform={"syn": "SyN", "affine": "Affine", "rigid": "Rigid"}[registration],
            reg_iterations=SYN_ITERATIONS,
            outprefix=f"{folder}/",
        )
        affine = sitk.ReadTransform(next(p for p in found["fwdtransforms"] if p.endswith(".mat")))
        if registration != "syn":
            return Transform.of(affine)
        warp, inverse = (
            sitk.ReadImage(next(p for p in found[kind] if p.endswith(".nii.gz")), sitk.sitkVectorFloat32)
            for kind in ("fwdtransforms", "invtransforms")
        )
        return Transform.of(affine, warp, inverse)


def _register_simpleitk(
    fixed: NDArray, fixed_grid: Grid, moving: NDArray, moving_grid: Grid, *, registration: str, seed: int
) -> Transform:
    """By SimpleITK, of (I, J, K) images on their grids: rigid, then affine from there, each from coarse to fine."""
    fixed_image, moving_image = to_itk(fixed, fixed_grid), to_itk(moving, moving_grid)
    centred = sitk.CenteredTransformInitializer(
        fixed_image, moving_image, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    rigid = _optimise(fixed_image, moving_image, centred, seed)
    if registration == "rigid":
        return Transform.of(rigid)
    start = sitk.AffineTransform(3)
    start.SetCenter(rigid.GetCenter())
    start.SetMatrix(rigid.GetMatrix())
    start.SetTranslation(rigid.GetTranslation())
    return Transform.of(_optimise(fixed_image, moving_image, start, seed))


@one_thread()
def _optimise(fixed: sitk.Image, moving: sitk.Image, start: sitk.Transform, seed: int) -> sitk.Transform:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.2, seed + 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=1e-3, numberOfIterations=200, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SetInitialTransform(start, inPlace=False)
    found = method.Execute(fixed, moving)
    return found.GetNthTransform(0).Downcast() if found.GetName() == "CompositeTransform" else found.Downcast()
