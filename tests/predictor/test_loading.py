import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto

from specroute.core.request import Message, Role, RouteRequest
from specroute.predictor.artifact import ModelArtifactError, content_version, read_manifest
from specroute.predictor.predictor import OnnxPredictor
from tests.predictor.graphs import constant, gathering, write_folder

MINI_AND_LARGE = {"mini": 0.25, "large": 0.25 * 0.875 + 0.75 * 0.5}
_DENSE = {"version": 1, "head_chars": 3000, "tail_chars": 1000, "hash_bits": 17, "max_ngram": 2, "dense": []}


def _refusal(folder: Path, tiers: tuple[str, ...] = (), service_tiers: tuple[str, ...] = ()) -> str:
    with pytest.raises(ModelArtifactError) as caught:
        OnnxPredictor.load(folder, tiers=tiers, service_tiers=service_tiers)
    message = str(caught.value)
    assert "\n" not in message
    assert "; " in message
    return message


def _version(manifest: dict[str, Any]) -> str:
    names = ("format_version", "tiers", "pair", "features", "files", "intents", "verifier")
    return content_version("test", {name: manifest[name] for name in names})


def _ask(predictor: OnnxPredictor) -> dict[str, float]:
    return dict(predictor.predict(RouteRequest("", (Message(Role.USER, "hello"),))).p_accept)


def test_a_whole_folder_loads_and_scores_its_first_tier(tmp_path: Path) -> None:
    predictor = OnnxPredictor.load(write_folder(tmp_path, constant()))

    assert _ask(predictor) == MINI_AND_LARGE
    assert predictor.version == read_manifest(tmp_path).expected_version()


def test_the_service_may_call_its_tiers_otherwise(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, constant())

    assert _ask(OnnxPredictor.load(folder, tiers=("small", "big"))) == {
        "small": 0.25,
        "big": MINI_AND_LARGE["large"],
    }


def test_tiers_of_other_names_are_taken_in_order_where_there_are_as_many(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, constant())

    assert list(_ask(OnnxPredictor.load(folder, service_tiers=("small", "big")))) == ["small", "big"]
    assert _ask(OnnxPredictor.load(folder, service_tiers=("mini", "medium", "large"))) == MINI_AND_LARGE
    assert list(_ask(OnnxPredictor.load(folder, service_tiers=("mini", "medium", "best")))) == ["mini", "best"]


@pytest.mark.parametrize(
    ("tiers", "service_tiers", "problem"),
    [
        (("small", "big", "huge"), (), "the model has 2 tiers, 3 are given"),
        (("same", "same"), (), "two of its tiers are mapped to one of the service's"),
        ((), ("small", "medium", "big"), "its tier 'mini' is none of the service's; name the service's tiers"),
    ],
)
def test_tiers_that_do_not_fit_are_refused(
    tmp_path: Path, tiers: tuple[str, ...], service_tiers: tuple[str, ...], problem: str
) -> None:
    folder = write_folder(tmp_path, constant())

    assert _refusal(folder, tiers, service_tiers).startswith(f"{folder / 'manifest.json'}: {problem}")


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "calibration.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write_folder(tmp_path, constant())
    (folder / name).unlink()

    assert _refusal(folder).startswith(f"{folder / name}: no such file; ")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert "no such file" in _refusal(tmp_path / "none")


@pytest.mark.parametrize("name", ["model.onnx", "calibration.json"])
def test_one_flipped_bit_is_refused(tmp_path: Path, name: str) -> None:
    folder = write_folder(tmp_path, constant())
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)

    assert _refusal(folder).startswith(f"{folder / name}: sha256 is ")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"format_version": "one"}'])
def test_a_manifest_that_is_not_one_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = write_folder(tmp_path, constant())
    (folder / "manifest.json").write_bytes(content)

    assert _refusal(folder).startswith(f"{folder / 'manifest.json'}: not a manifest")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"format_version": 1}, "format_version is 1, this version of specroute reads 2"),
        ({"features": _DENSE}, "features.version is 1"),
        ({"files": {}}, "files has no sha256 of calibration.json"),
        ({"tiers": ["only"]}, "not a manifest"),
        ({"golden": []}, "not a manifest"),
        ({"golden": [{"text": "hello", "p_accept": 1.5}]}, "not a manifest"),
        ({"version": "test-0123456789ab"}, "version is 'test-0123456789ab', but its parts are those of 'test-"),
        ({"verifier": {}}, "its parts and its files disagree on whether there is a verifier.onnx"),
        ({"surprise": 1}, "not a manifest"),
    ],
)
def test_a_manifest_that_asks_for_what_is_not_here_is_refused(
    tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    assert problem in _refusal(write_folder(tmp_path, constant(), **changes))


def test_settings_out_of_range_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, constant())
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["features"]["hash_bits"] = 60
    manifest["version"] = _version(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))

    assert "hash_bits must be in [8, 24]" in _refusal(folder)


def test_a_file_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "model", constant())
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../secret"] = "0" * 64
    manifest["version"] = _version(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))

    assert "which is not in the folder" in _refusal(folder)


@pytest.mark.parametrize("p", [0.25002, 0.9])
def test_a_golden_vector_that_does_not_hold_is_refused(tmp_path: Path, p: float) -> None:
    golden = {"text": "hello", "p_accept": p, "p_low": 0.125, "p_high": 0.5, "novelty": 0.75}

    folder = write_folder(tmp_path, constant(), golden=[golden])

    assert "golden vector 0 scores p_accept 0.250000" in _refusal(folder)


def test_a_golden_novelty_that_does_not_hold_is_refused(tmp_path: Path) -> None:
    golden = {"text": "hello", "p_accept": 0.25, "p_low": 0.125, "p_high": 0.5, "novelty": 0.5}

    folder = write_folder(tmp_path, constant(), golden=[golden])

    assert "golden vector 0 scores novelty 0.750000" in _refusal(folder)


@pytest.mark.parametrize("name", ["model.onnx", "calibration.json"])
def test_a_file_of_another_run_is_refused_even_under_its_own_hash(tmp_path: Path, name: str) -> None:
    folder = write_folder(tmp_path, constant())
    other = b"{ }" if name == "calibration.json" else gathering()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(other).hexdigest()
    (folder / name).write_bytes(other)
    (folder / "manifest.json").write_text(json.dumps(manifest))

    assert "but its parts are those of" in _refusal(folder)


def test_a_graph_that_gives_no_number_is_refused(tmp_path: Path) -> None:
    assert "golden vector 0 scores p_accept nan" in _refusal(write_folder(tmp_path, constant("nan")))


def test_a_graph_that_fails_is_refused(tmp_path: Path) -> None:
    assert "golden vector 0 cannot be scored" in _refusal(write_folder(tmp_path, gathering()))


@pytest.mark.parametrize(
    "model", [constant(logits="score"), constant(ids_type=TensorProto.INT32)], ids=["output", "input"]
)
def test_a_graph_of_another_signature_is_refused(tmp_path: Path, model: bytes) -> None:
    assert "the graph's signature is not inputs ids: tensor(int64)[n]" in _refusal(write_folder(tmp_path, model))


@pytest.mark.parametrize("model", [b"", b"not a graph"])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, model: bytes) -> None:
    assert "model.onnx: not a graph that onnxruntime" in _refusal(write_folder(tmp_path, model))
