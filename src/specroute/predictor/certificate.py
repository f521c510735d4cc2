"""The certificate on disk: thresholds and what was shown about the quality that they cost.

``specroute calibrate`` writes ``certificate.json``. Whoever serves by it reads it here, which proves that it is the
file that was written, and asks ``check`` whether it is about the model that is loaded.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from specroute.predictor.verifier.leeway import STRAIGHT, Leeway

if TYPE_CHECKING:
    from pathlib import Path

FORMAT_VERSION = 1
CERTIFICATE_FILE = "certificate.json"
AGAIN = "write it anew with `specroute calibrate`"

Method = Literal["binomial", "betting"]
Policy = Literal["full", "cascade", "direct"]
Prefer = Literal["any", "cheapest"]

_Ratio = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_Loss = Annotated[float, msgspec.Meta(ge=-1.0, le=1.0)]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Level = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]
_Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class CertificateError(ValueError):
    """A certificate that must not be served by; the message is one line: the file, what is wrong, and the mend."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the file: what it does not know is refused."""


class CertifiedCuts(Section, frozen=True):
    """Where a prompt goes; each cut is inclusive.

    Attributes:
        direct_mini: the mini alone where the lower end of its p is at least this; ``None``: never.
        direct_large: the large alone where the upper end is at most this and the mini is not direct; 1 sends all that
            is left there; ``None``: never.
        min_p: between the two the mini's answer is kept where it passes the deterministic validators and the verifier
            gives it at least this, and goes up where the verifier abstains; ``None``: the policy asks no verifier.
        leeway: bends ``min_p`` with an answer's price.
    """

    direct_mini: _Ratio | None
    direct_large: _Ratio | None
    min_p: _Ratio | None
    leeway: Leeway = STRAIGHT


class PathStep(Section, frozen=True):
    """One policy of the path that was tested, on ``Certificate.n`` prompts.

    Attributes:
        failures: prompts whose large answer was acceptable and whose delivered answer was not.
        rescues: prompts with it the other way round.
        saved: share of always-large's money that it did not spend; below 0 it cost more.
        p_value: of "its loss is above alpha".
    """

    cuts: CertifiedCuts
    failures: _Count
    rescues: _Count
    saved: float
    p_value: _Ratio
    passed: bool


class Estimate(Section, frozen=True):
    """A value with its interval; that of the saving is a 95 % bootstrap over clusters."""

    value: float
    lo: float
    hi: float


class Loss(Section, frozen=True):
    """What the policy lost on the calibration rows, as the method counts it, and its upper bound at the confidence."""

    value: _Loss
    upper: _Loss


class Rows(Section, frozen=True):
    """What a split was made of.

    Attributes:
        rows: of the pair, both labels known.
        clusters: groups of near-duplicate prompts among them.
        used: rows that were looked at: all for tuning; for calibration one of every cluster.
        learnt: of those used, how many the model learnt from; they are scored by models that did not see their group.
        sha256: over the rows used.
    """

    rows: _Count
    clusters: _Count
    used: _Count
    learnt: _Count
    sha256: _Sha256


class SourceLoss(Section, frozen=True):
    """One source's part of the calibration rows, and what the policy does to it alone.

    Attributes:
        loss: ``None`` where everything goes to the large model.
        lower: bound of the loss at the certificate's confidence, one-sided, for this source alone.
        upper: likewise; above alpha, the certificate is not shown to hold for traffic from this source only.
    """

    source: str
    n: _Count
    share: _Ratio
    saved: float
    loss: _Loss
    lower: _Loss
    upper: _Loss


class Requires(Section, frozen=True):
    """What the service must be set to for the certificate to hold.

    Attributes:
        prefer: ``cheapest``: a large answer must never displace a mini answer that is accepted (``race.prefer:
            cheapest``, or ``hedge_delay: on_rejection``); ``any``: it may.
        on_abstain: what becomes of an answer about which the verifier abstains.
    """

    prefer: Prefer
    on_abstain: Literal["reject"] = "reject"


class Certificate(Section, frozen=True):
    """``certificate.json``.

    Attributes:
        statement: what is promised, in one sentence.
        always_large: nothing cheaper could be shown to keep the promise, so everything goes to the large model.
        alpha: the most quality that may be lost, in (0, 1).
        delta: the most that the promise may be wrong with, in (0, 1): 1 - confidence.
        n: prompts tested on, one of every cluster.
        path_length: policies on the path; ``step`` of them passed one after the other, and the last is deployed.
        path: those that were tested, the first failure included.
        saved: of the deployed policy, on the calibration rows.
        model_version: what scored the rows; ``check`` compares it.
        model_files_sha256: over the names and hashes of the model's files.
        verifier: whether answers were scored.
        sha256: over everything else in the file.
    """

    format_version: int
    statement: str
    always_large: bool
    thresholds: CertifiedCuts
    requires: Requires
    method: Method
    policy: Policy
    alpha: _Level
    delta: _Level
    n: _Count
    path_length: _Count
    step: _Count
    saved: Estimate
    loss: Loss
    pair: str
    model_version: str
    model_files_sha256: _Sha256
    verifier: bool
    answered_only: bool
    seed: int
    calibration: Rows
    tuning: Rows
    mix: tuple[SourceLoss, ...]
    path: tuple[PathStep, ...]
    sha256: str = ""

    @property
    def name(self) -> str:
        """What decisions, metrics and logs call it: the first 12 hex digits of ``sha256``."""
        return self.sha256[:12]

    def check(self, model_version: str) -> None:
        """Refuses a model other than the one that the certificate is about.

        Raises:
            CertificateError: ``model_version`` is another.
        """
        if model_version != self.model_version:
            problem = f"calibrated for model {self.model_version}, loaded is {model_version}"
            raise CertificateError(f"{CERTIFICATE_FILE}: {problem}; run `specroute calibrate` again")


def write_certificate(path: Path, certificate: Certificate) -> Certificate:
    """Writes ``certificate`` with its hash, the same bytes for the same content, and returns it as it is read back.

    Raises:
        OSError: the file cannot be written.
    """
    sealed = msgspec.structs.replace(certificate, sha256=_content_sha256(msgspec.to_builtins(certificate)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(sealed), indent=2) + b"\n")
    return sealed


def read_certificate(path: Path) -> Certificate:
    """Reads ``certificate.json`` and proves that nothing in it was changed after it was written.

    Raises:
        CertificateError: it is missing, is not what this version reads, or was changed.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise CertificateError(f"{path}: no such file; {AGAIN}") from error
    except OSError as error:
        raise CertificateError(f"{path}: cannot be read ({error.strerror}); check its owner and mode") from error
    try:
        content = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CertificateError(f"{path}: not a certificate: {error}; {AGAIN}") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version != FORMAT_VERSION:
        problem = f"format_version is {version}, this version of specroute reads {FORMAT_VERSION}"
        raise CertificateError(f"{path}: {problem}; {AGAIN}")
    try:
        certificate = msgspec.convert(content, Certificate)
    except msgspec.MsgspecError as error:
        raise CertificateError(f"{path}: not a certificate: {error}; {AGAIN}") from error
    if certificate.sha256 != _content_sha256(content):
        raise CertificateError(f"{path}: changed after it was written; restore it, or {AGAIN}")
    return certificate


def _content_sha256(content: dict[str, Any]) -> str:
    """Hashes what the file says, not how it is laid out, so that a reformatted file stays the same certificate."""
    rest = {name: value for name, value in content.items() if name != "sha256"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
