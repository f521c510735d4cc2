"""What a setting does, in a line."""

from __future__ import annotations

from specroute.learn.play import Cuts
from specroute.predictor.verifier.leeway import Leeway
from specroute.tuning.findings import Setting
from specroute.tuning.recommended.words import setting_in_words


def test_a_cut_that_bends_says_so() -> None:
    straight, bent = (Setting(Cuts(0.9, 0.2, 0.7, leeway), 1.5) for leeway in (Leeway(), Leeway(0.75, 470.0)))

    assert "mini's answer kept from 0.7, large after 1.5s" in setting_in_words(straight)
    assert "mini's answer kept from 0.7 (its risk times (tokens at stake / 470)^0.75), large" in setting_in_words(bent)
