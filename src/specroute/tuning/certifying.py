"""What is proven on the held-out rows, by the certificate machinery: a path fixed on the tuning rows, tested on others.

The tuned cuts keep their targets as far as the tuning rows tell; certified cuts come with a promise. They are stricter
as a rule, and the report shows both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.learn.certificate.certify import certify
from specroute.learn.certificate.evidence import least_rows
from specroute.learn.certificate.options import CalibrateOptions, CalibrationError
from specroute.learn.play import ALWAYS_LARGE, Cuts
from specroute.tuning.findings import Certified, Setting
from specroute.tuning.flights.policies import played

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specroute.learn.scoring import ScoredRows
    from specroute.predictor.certificate import Certificate, Method
    from specroute.tuning.flights.effects import Ruler
    from specroute.tuning.flights.world import World
    from specroute.tuning.targets import Targets


def certified(
    tuning: ScoredRows,
    held_out: World,
    ruler: Ruler,
    recommended: Setting,
    *,
    files: Mapping[str, str],
    seed: int,
) -> Certified | None:
    """Returns what can be proven, with its effect under the recommended hedge delay.

    Args:
        tuning: rows to fix the path on.
        held_out: rows to test on, one of each cluster.
        ruler: measures in ``held_out``.
        recommended: its delay is kept, and it decides the method: where the large model may displace an accepted
            answer only failures can be certified, else the signed loss.
        files: name -> SHA-256 of the model's files.
        seed: of the draw of one row of each cluster.

    Returns:
        ``None`` where no certificate is possible at all, as for a loss of 0.
    """
    targets = ruler.targets
    if not targets.max_quality_loss > 0.0:
        return None
    method: Method = "betting" if recommended.hedge_delay_s is None else "binomial"
    options = CalibrateOptions(
        alpha=targets.max_quality_loss, delta=1.0 - targets.certificate_confidence, method=method, seed=seed
    )
    try:
        found = certify(held_out.rows, options, files=files, tuning=tuning).certificate
    except CalibrationError:
        return None
    setting = certified_setting(found, recommended.hedge_delay_s)
    effect = ruler.effect(played(held_out, setting).mixture)
    covers = not found.always_large and _covers(setting.cuts, recommended.cuts, method)
    return Certified(found, effect, covers, _note(found, targets, covers=covers))


def certified_setting(certificate: Certificate, hedge_delay_s: float | None) -> Setting:
    """Returns the setting that serves by ``certificate``."""
    if certificate.always_large:
        return Setting(ALWAYS_LARGE, None)
    return Setting(Cuts.of(certificate.thresholds), hedge_delay_s)


def _covers(proven: Cuts, asked: Cuts, method: Method) -> bool:
    """Returns whether ``asked`` delivers the mini's answer only where ``proven`` does: then it fails no more often.

    A stricter policy may also rescue less, so that the signed loss of one says nothing about the other's.
    """
    if asked in (proven, ALWAYS_LARGE):
        return True
    if method != "binomial" or asked.leeway != proven.leeway:
        return False
    verified = proven.min_p is None or (asked.min_p is not None and asked.min_p >= proven.min_p)
    return verified and asked.direct_mini >= proven.direct_mini and asked.direct_large >= proven.direct_large


def _note(certificate: Certificate, targets: Targets, *, covers: bool) -> str:
    least = least_rows(certificate.alpha, certificate.delta)
    if certificate.n < least:
        return (
            f"Nothing is certified: the held-out rows have {certificate.n} clusters, and it takes at least {least} to "
            f"show a loss of at most {100.0 * certificate.alpha:.4g} points at confidence "
            f"{targets.certificate_confidence:g}."
        )
    if certificate.always_large:
        return f"Nothing cheaper than the large model could be certified on {certificate.n} held-out clusters."
    loss = f"a loss of at most {100.0 * certificate.alpha:.4g} points at confidence {targets.certificate_confidence:g}"
    if covers:
        return f"The recommended cuts are certified: {loss}, tested on {certificate.n} held-out clusters."
    return (
        f"The recommended cuts are tuned, not certified; stricter ones are: {loss}, tested on {certificate.n} held-out "
        "clusters."
    )
