"""Writes a run into a folder: the answer as data, as a page and as a picture, and the configurations that it gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from specroute.predictor.certificate import CERTIFICATE_FILE, write_certificate
from specroute.tuning.recommended.recommend import CERTIFIED_FILE, RECOMMENDED_FILE
from specroute.tuning.report.charts import charts
from specroute.tuning.report.document import to_document
from specroute.tuning.report.page import page

if TYPE_CHECKING:
    from pathlib import Path

    from specroute.tuning.report.run import Run

DOCUMENT_FILE, PAGE_FILE, BASE_FILE, DIFF_FILE = "tuning.json", "report.html", "base.yaml", "recommended.diff"
_OF_A_RUN = (RECOMMENDED_FILE, CERTIFIED_FILE, CERTIFICATE_FILE, DIFF_FILE)


def write_folder(run: Run, out: Path, *, base_is_made: bool) -> tuple[Path, ...]:
    """Writes all there is of ``run`` into ``out`` and returns the files; recommendations of an earlier run go.

    Args:
        run: what there is, which may be a part.
        out: is made if it is not there.
        base_is_made: whether the configuration that was changed is not the user's own, and is written, too.

    Raises:
        OSError: a file cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in _OF_A_RUN:  # a folder must not show what this run does not recommend
        (out / name).unlink(missing_ok=True)
    drawn = () if run.found is None else charts(run.found)
    files: dict[str, bytes] = {f"{chart.name}.png": chart.light for chart in drawn}
    document = json.dumps(to_document(run), ensure_ascii=False, indent=1, allow_nan=False)
    files |= {DOCUMENT_FILE: document.encode() + b"\n", PAGE_FILE: page(run, drawn).encode()}
    if (own := run.recommendation) is not None:
        files |= {RECOMMENDED_FILE: own.text.encode(), DIFF_FILE: own.diff.encode()}
        files |= {BASE_FILE: own.base.text.encode()} if base_is_made else {}
        files |= {CERTIFIED_FILE: own.certified.encode()} if own.certified else {}
    for name, content in files.items():
        (out / name).write_bytes(content)
    written = [out / name for name in files]
    certified = None if run.found is None else run.found.certified
    if certified is not None:
        write_certificate(out / CERTIFICATE_FILE, certified.certificate)
        written.append(out / CERTIFICATE_FILE)
    return tuple(written)
