"""From scored rows to a certificate: split, fix the path, test along it, and say what was found."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.certificate.evidence import least_rows
from specroute.learn.certificate.options import CalibrationError
from specroute.learn.certificate.path.fixing import fix_path
from specroute.learn.certificate.path.sequence import Trace, prepare
from specroute.learn.certificate.report import Finding, build_certificate
from specroute.learn.certificate.split import split_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from specroute.learn.certificate.options import CalibrateOptions
    from specroute.learn.certificate.split import Split
    from specroute.learn.play import Cuts
    from specroute.learn.scoring import ScoredRows
    from specroute.predictor.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate and what it was made from."""

    certificate: Certificate
    options: CalibrateOptions
    split: Split
    path: tuple[Cuts, ...]


def certify(
    rows: ScoredRows,
    options: CalibrateOptions,
    *,
    files: Mapping[str, str],
    tuning: ScoredRows | None = None,
    report: Callable[[str], None] = lambda step: None,
) -> Certified:
    """Certifies the cheapest policy of a path that provably loses at most ``options.alpha``.

    Args:
        rows: to test on, and without ``tuning`` to fix the path on as well, on clusters of its own.
        options: what to certify; without a verifier ``full`` becomes ``direct``.
        files: name -> SHA-256 of the model's files.
        tuning: rows to fix the path on; clusters that ``rows`` has too are left out of them.
        report: told what is done next.

    Raises:
        CalibrationError: there are too few rows to fix a path, the policy needs a verifier and there is none, or the
            large model costs nothing.
    """
    options = _possible(rows, options)
    report("splitting by cluster")
    split = split_rows(rows, options, tuning)
    report("fixing the path")
    path = fix_path(split.tuning, options)
    report(f"testing along {len(path)} policies")
    n = split.calibration.large_ok.size
    test = prepare(split.tuning, path, options.method, n, (options.alpha, options.delta))
    trace = Trace.of(split.calibration, path)
    tested = test.walk(trace.signed) if n >= least_rows(options.alpha, options.delta) else []
    report("measuring by source")
    finding = Finding(split, path, trace, tuple(tested), sum(p_value <= options.delta for p_value in tested))
    certificate = build_certificate(finding, options, _files_sha256(files))
    return Certified(certificate, options, split, path)


def _possible(rows: ScoredRows, options: CalibrateOptions) -> CalibrateOptions:
    if not rows.large_cost_usd.sum() > 0.0:
        raise CalibrationError("the large model's answers cost nothing, so nothing can be saved; see --prices")
    if not np.isnan(rows.verifier_p).all() or options.policy == "direct":
        return options
    if options.policy == "cascade":
        problem = "--policy cascade keeps what a verifier accepts, and no answer here is verified"
        raise CalibrationError(f"{problem}; train a model with a verifier on rows with answers, or use --policy direct")
    return replace(options, policy="direct")


def _files_sha256(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(sorted(files.items()))).encode("ascii", "backslashreplace")).hexdigest()
