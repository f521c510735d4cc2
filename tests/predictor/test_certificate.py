import json
from pathlib import Path

import pytest

from specroute.predictor.certificate import (
    FORMAT_VERSION,
    Certificate,
    CertificateError,
    CertifiedCuts,
    Estimate,
    Loss,
    PathStep,
    Requires,
    Rows,
    SourceLoss,
    read_certificate,
    write_certificate,
)

ROWS = Rows(rows=700, clusters=600, used=600, learnt=0, sha256="b" * 64)
CUTS = CertifiedCuts(direct_mini=None, direct_large=0.2, min_p=0.8)


def certificate() -> Certificate:
    return Certificate(
        format_version=FORMAT_VERSION,
        statement="With confidence 0.95, little is lost.",
        always_large=False,
        thresholds=CUTS,
        requires=Requires(prefer="any"),
        method="binomial",
        policy="cascade",
        alpha=0.02,
        delta=0.05,
        n=600,
        path_length=40,
        step=1,
        saved=Estimate(0.4, 0.38, 0.42),
        loss=Loss(0.01, 0.0195),
        pair="tiny|huge",
        model_version="made-up-1",
        model_files_sha256="c" * 64,
        verifier=True,
        answered_only=False,
        seed=0,
        calibration=ROWS,
        tuning=ROWS,
        mix=(SourceLoss("all", 600, 1.0, 0.4, 0.01, 0.005, 0.0195),),
        path=(PathStep(CUTS, 6, 3, 0.4, 0.04, True),),
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "certificate.json"
    write_certificate(path, certificate())
    return path


def change(file: Path, name: str, value: object) -> None:
    content = json.loads(file.read_text("utf-8"))
    content[name] = value
    file.write_text(json.dumps(content), "utf-8")


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "certificate.json"

    written = write_certificate(path, certificate())

    assert read_certificate(path) == written
    assert len(written.sha256) == 64
    first = path.read_bytes()
    write_certificate(path, certificate())
    assert path.read_bytes() == first
    assert first.endswith(b"}\n")


def test_a_threshold_edited_by_hand_is_refused(file: Path) -> None:
    content = json.loads(file.read_text("utf-8"))
    content["thresholds"]["min_p"] = 0.5
    file.write_text(json.dumps(content), "utf-8")

    with pytest.raises(CertificateError, match="changed after it was written; restore it, or write it anew with"):
        read_certificate(file)


@pytest.mark.parametrize(("name", "value"), [("alpha", 0.05), ("model_version", "other-2"), ("sha256", "d" * 64)])
def test_any_other_change_is_refused(file: Path, name: str, value: object) -> None:
    change(file, name, value)

    with pytest.raises(CertificateError, match="changed after it was written"):
        read_certificate(file)


def test_another_layout_of_the_same_content_is_the_same_certificate(file: Path) -> None:
    before = read_certificate(file)

    file.write_text(json.dumps(json.loads(file.read_text("utf-8"))), "utf-8")

    assert read_certificate(file) == before


def test_another_model_is_refused_by_both_names(file: Path) -> None:
    read_certificate(file).check("made-up-1")

    with pytest.raises(CertificateError, match="calibrated for model made-up-1, loaded is made-up-2; run `specroute"):
        read_certificate(file).check("made-up-2")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("format_version", 9, "format_version is 9, this version of specroute reads 1"),
        ("alpha", 2.0, r"not a certificate: Expected `float` < 1\.0 - at `\$\.alpha`"),
        ("thresholds", {"direct_mini": None, "direct_large": 0.2, "min_p": 7.0}, r"at `\$\.thresholds\.min_p`"),
        ("method", "guess", r"Invalid enum value 'guess' - at `\$\.method`"),
        ("extra", 1, "Object contains unknown field `extra`"),
    ],
)
def test_what_is_not_a_certificate_is_refused_with_the_place(
    file: Path, name: str, value: object, problem: str
) -> None:
    change(file, name, value)

    with pytest.raises(CertificateError, match=problem) as caught:
        read_certificate(file)

    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '{"format_version": true}'])
def test_other_text_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "certificate.json"
    file.write_text(text, "utf-8")

    with pytest.raises(CertificateError, match="not a certificate"):
        read_certificate(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="no such file; write it anew with `specroute calibrate`"):
        read_certificate(tmp_path / "certificate.json")
