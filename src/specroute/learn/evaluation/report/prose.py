"""The words and the style of the page."""

HOW_POLICIES_ARE_PLAYED = """
Every policy is played by the code that plans and judges in the service, on recorded answers; a mini answer that the
deterministic validators reject is followed by the large model under every policy.
"""

_POLICIES = """
threshold: the prompt's p alone
expected_gain: P(mini wrong) P(large right | mini wrong) alone
length, source_mean, subject_mean, knn: what the prompt's length, its source, its subject, the likest known prompts say of the expected gain
cascade: the mini always, its answer delivered where the verifier gives it enough of a chance
zones: both: mini alone, large alone, and between them a mini that is checked
certified: the thresholds of the certificate
random: the product's share of large answers, dealt out at random
random_at_target: the share at random that meets the target
cost_matched_shuffle: the product's own decisions dealt out at random, at its cost
oracle: the cheapest right answer
"""  # noqa: E501 - a line for each

_METHOD = """
Intervals: 95 % percentile intervals of 1,000 resamples of whole groups of near-duplicate prompts; differences are
resampled together; that of ECE is less the bias that resampling itself adds. A dash: not defined, as a share of a gap
of nothing.

Tuning: no policy's threshold has seen the labels that it is measured on. The curves over all thresholds and "saved at"
have: they are hindsight, for comparison with published figures.

Rows that the model has learnt from: scored by models that did not see their group.

AUROC, log-loss, Brier, ECE: of P(the mini's answer is acceptable); ECE over 15 bins of equal mass.

APGR, CPT: of the ranking by expected gain. PGR = (Q - Q_mini) / (Q_large - Q_mini); APGR its mean over the share c of
large calls (at ten points, by the trapezoids of deciles, over all thresholds); CPT(x) the least c with a PGR of x %
(RouteLLM, arXiv 2406.18665). With suffix usd: c = (cost - cost_mini) / (cost_large - cost_mini), rejected answers paid.

AIQ: integral of the non-decreasing concave hull of (cost, quality) over the range from the cost of the mini alone to
that of the large model alone, divided by its length (RouterBench, arXiv 2403.12031).

Saved at x: 1 - min{cost: Q >= x Q_large} / cost of always-large along the curve; may be negative.

Under: share of requests with the mini's wrong answer delivered where the large model's was right.

Over: the large model called where the mini's answer was right.

Oracle gap: (Q_oracle - Q) / (Q_oracle - Q_mini), the oracle spending what the policy spends.

Burnt: share of the cost that went into answers that were not delivered.
"""

METHOD = tuple(tuple(paragraph.split(": ", 1)) for paragraph in _METHOD.strip().split("\n\n"))
POLICIES = tuple(tuple(line.split(": ", 1)) for line in _POLICIES.strip().splitlines())
"""(what, meaning) of each."""

STYLE = """
:root{--ground:#fff;--ink:#1d2430;--faint:#d9dee6;--soft:#f4f6f9;--on:#0b6b4f;--off:#a3320b}
@media(prefers-color-scheme:dark){
:root{--ground:#161b22;--ink:#e4e9f0;--faint:#3d4653;--soft:#1f2630;--on:#4fd1a5;--off:#ff9b73}
}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:16px}
h1{font-size:1.5rem}
h2{font-size:1.2rem;margin-top:2.2em;border-bottom:1px solid var(--faint)}
h3{font-size:1rem;margin-top:1.6em}
h1,p,pre,figcaption{overflow-wrap:anywhere}
.advice{padding:12px 16px;border-left:5px solid;background:var(--soft);font-weight:600}
.on{border-color:var(--on)}.off{border-color:var(--off);color:var(--off)}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;white-space:nowrap}
th,td{padding:4px 10px;text-align:right;border-bottom:1px solid var(--faint)}
th{background:var(--soft);font-weight:600}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--ground)}
tbody tr:hover td{background:var(--soft)}
figure{margin:16px 0}img{max-width:100%;height:auto}figcaption{font-size:13px;opacity:.8}
pre{background:var(--soft);padding:12px;white-space:pre-wrap}
"""
