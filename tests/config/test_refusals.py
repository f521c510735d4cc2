"""Every value that is refused: file, line, key and mend."""

from pathlib import Path

import pytest

from tests.config.documents import VALID, changed, only_problem

PRICE = "price: {input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.60}"
MODEL = "        model: small\n"
RULE = "{name: risky, when: {risk: high}, route: large}"
THRESHOLDS = "thresholds: {direct_mini: 0.9, direct_large: 0.3, hedge_delay: 250ms}"
PREDICTOR = "predictor: {prior: 0.7}"

KEYS = [
    (VALID + "retries: 3\n", "22: retries: unknown key; did you mean 'tiers'?"),
    (
        VALID + "decision_log: {path: x}\n",
        "22: decision_log: unknown key; valid keys: listen, metrics_listen, tiers, predictor, policy, speculation, ",
    ),
    (
        changed("  kind: thresholds\n", "  treshold: {}\n"),
        "18: policy.treshold: unknown key; did you mean 'thresholds'?",
    ),
    (
        changed("  kind: thresholds\n", "  objective: {}\n"),
        "18: policy.objective: unknown key; valid keys: kind, thresholds, certificate, tuned, tier, rules",
    ),
    (
        changed("  kind: thresholds\n", "  kind: utility\n"),
        "18: policy.kind: unknown value 'utility'; write one of thresholds, always",
    ),
    (
        changed(MODEL, MODEL + "        api_key: sk-1\n"),
        "10: tiers[0].upstreams[0].api_key: unknown key; did you mean ",
    ),
    (
        changed(MODEL, MODEL + "        breaker: {window: 30s}\n"),
        "10: tiers[0].upstreams[0].breaker: unknown key; valid keys: kind, name, ",
    ),
    (
        changed(MODEL, MODEL + "        timeouts: {connect_s: 2s}\n"),
        "10: tiers[0].upstreams[0].timeouts.connect_s: unknown key; did you mean 'connect'?",
    ),
    (
        changed(RULE, "{name: r, when: {domain: law}, route: mini}"),
        "21: policy.rules[0].when.domain: unknown key; did you mean 'risk_domain'?",
    ),
    (
        VALID + "speculation: {max_waste_ratio: 0.1}\n",
        "22: speculation.max_waste_ratio: unknown key; valid keys: max_legs",
    ),
    (VALID + "race:\n", "22: race: has no value; write one or remove the key"),
    (
        VALID + "race: fast\n",
        "22: race: is not a mapping; write 'key: value' lines below it, keys: prefer, cheapest_grace",
    ),
]

TIERS = [
    ("predictor: {prior: 0.7}\n", "1: tiers: missing; add tiers: [{name: mini, price: ..., upstreams: ...}]"),
    (f"tiers: []\n{PREDICTOR}\n", "1: tiers: an empty list; give at least one, or remove the key"),
    (
        changed(f"    {PRICE}\n", ""),
        "4: tiers[0].price: missing; add price: {input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.60}",
    ),
    (
        changed("0.15, output_usd_per_mtok: 0.60}", "0.15}"),
        "5: tiers[0].price.output_usd_per_mtok: missing; add output_usd_per_mtok: 0.60",
    ),
    (
        changed("0.15", "-1"),
        "5: tiers[0].price.input_usd_per_mtok: -1 is not a price; write a finite number of US doll",
    ),
    (
        changed("0.15", ".nan"),
        "5: tiers[0].price.input_usd_per_mtok: nan is not a price; write a finite number of US doll",
    ),
    (changed("0.15", ".inf"), "5: tiers[0].price.input_usd_per_mtok: inf is not a price; write a finite number"),
    (
        changed("0.15", "free"),
        "5: tiers[0].price.input_usd_per_mtok: 'free' is not a price; write US dollars per million tok",
    ),
    (
        changed("name: mini", "name: Mini"),
        "4: tiers[0].name: not a tier's name; write lower-case letters, digits, '_' and '-' only",
    ),
    (changed("name: mini", "name: ''"), "4: tiers[0].name: not a tier's name; write"),
    (
        changed("name: large", "name: mini").replace("route: large", "route: mini"),
        "10: tiers[1].name: 'mini' is taken; give it a name of its own",
    ),
    (
        changed(MODEL, MODEL + "        name: large-0\n"),
        "14: tiers[1].upstreams[0].name: 'large-0' is taken; give it a name of its own",
    ),
    (
        changed(MODEL, MODEL + "        name: a b\n"),
        "10: tiers[0].upstreams[0].name: not an upstream's name; write letters, digits, '.', '_' and '-' only",
    ),
    (changed(MODEL, ""), "7: tiers[0].upstreams[0].model: missing; add model: gpt-4o-mini"),
    (changed(MODEL, "        model: 4\n"), "9: tiers[0].upstreams[0].model: 4 is not text; write it in quotes"),
    (
        changed(MODEL, MODEL + "        max_concurrency: 0\n"),
        "10: tiers[0].upstreams[0].max_concurrency: 0 is too small; write 1 or more",
    ),
    (
        changed(MODEL, MODEL + "        max_concurrency: 1.5\n"),
        "10: tiers[0].upstreams[0].max_concurrency: 1.5 is not a whole number; write one without",
    ),
    (
        changed(MODEL, MODEL + "        retry: {max: -1}\n"),
        "10: tiers[0].upstreams[0].retry.max: -1 is too small; write 0 or more",
    ),
    (
        changed(MODEL, MODEL + "        logprobs: yes\n"),
        "10: tiers[0].upstreams[0].logprobs: 'yes' is neither true nor false; write one of them without quotes",
    ),
    (
        changed(MODEL, MODEL + "        timeouts: {idle: 0s}\n"),
        "10: tiers[0].upstreams[0].timeouts.idle: 0s would end every call at once; write a duration above 0s",
    ),
    (
        changed(MODEL, MODEL + "        timeouts: {first_token: 20}\n"),
        "10: tiers[0].upstreams[0].timeouts.first_token: a duration needs a unit; write 20s",
    ),
    (
        changed(MODEL, MODEL + "        timeouts: {total: -1s}\n"),
        "10: tiers[0].upstreams[0].timeouts.total: '-1s' is negative; write a duration of 0s or more",
    ),
]

POLICY = [
    (
        changed("direct_large: 0.3", "direct_large: 0.9"),
        "19: policy.thresholds.direct_large: 0.9 is not below direct_mini, 0.9; write a smaller number",
    ),
    (
        changed("direct_mini: 0.9", "direct_mini: 1.5"),
        "19: policy.thresholds.direct_mini: 1.5 is too large; write 1 or less",
    ),
    (changed("direct_mini: 0.9", "direct_mini: .nan"), "19: policy.thresholds.direct_mini: nan is not a finite number"),
    (
        changed("250ms", "never"),
        "19: policy.thresholds.hedge_delay: 'never' is not a duration; write a number and one ",
    ),
    (changed("250ms", "1"), "19: policy.thresholds.hedge_delay: a duration needs a unit; write 1s, or on_rejection"),
    (
        changed("  kind: thresholds\n", "  tier: mini\n"),
        "18: policy.tier: belongs to kind 'always'; remove it, or write kind: always",
    ),
    (
        changed(f"  kind: thresholds\n  {THRESHOLDS}\n", "  kind: always\n"),
        "17: policy.tier: missing; kind 'always' needs a tier, such as tier: mini",
    ),
    (
        changed("  kind: thresholds\n", "  kind: always\n  tier: mini\n"),
        "20: policy.thresholds: belongs to kind 'thresholds'; remove it, or write kind: thresholds",
    ),
    (
        changed(f"  kind: thresholds\n  {THRESHOLDS}\n", "  kind: always\n  tier: mni\n"),
        "19: policy.tier: unknown tier 'mni'; did you mean 'mini'?",
    ),
    (changed(PREDICTOR + "\n", ""), "1: predictor: missing; write predictor: {model: PATH}, or {prior: 0.7}"),
    (changed("{prior: 0.7}", "{}"), "16: predictor: neither a model nor a prior; write {model: PATH} or {prior: 0.7}"),
    (changed("{prior: 0.7}", "{prior: 70}"), "16: predictor.prior: 70 is not a chance; write a number from 0 to 1"),
    (changed("{prior: 0.7}", "{prior: {}}"), "16: predictor.prior: an empty mapping; write a number, or one per tier"),
    (changed("{prior: 0.7}", "{prior: {mini: x}}"), "16: predictor.prior.mini: 'x' is not a chance; write a number"),
    (
        changed("{prior: 0.7}", "{prior: {small: 0.7}}"),
        "16: predictor.prior.small: unknown tier 'small'; the tiers are mini, large",
    ),
    (
        changed("{prior: 0.7}", "{prior: 0.7, tiers: [mini]}"),
        "16: predictor.tiers: only a model has tiers to map; remove it",
    ),
    (
        changed("{prior: 0.7}", "{model: ., tiers: [mini, big]}"),
        "16: predictor.tiers[1]: unknown tier 'big'; the tiers are mini, large",
    ),
    (
        changed("{prior: 0.7}", "{model: ., tiers: [mini, mini]}"),
        "16: predictor.tiers[1]: 'mini' is given twice; keep one",
    ),
    (changed("{prior: 0.7}", "{model: ., prior: 1}"), "16: predictor.prior: a model and a prior at once; keep one"),
    (
        changed("{prior: 0.7}", "{model: no/such}"),
        "16: predictor.model: no model at no/such; train one with 'specroute tr",
    ),
]

REST = [
    (
        "validation: {validators: [verifyer]}",
        "validation.validators[0]: unknown validator 'verifyer'; use complete, not_refusal, output_contract, ",
    ),
    (
        "validation: {validators: [verifier]}",
        "validation.validators[0]: no model to verify with; add model: PATH to it, or write predictor: {model: PATH}",
    ),
    (
        "validation: {validators: [{name: verifier, model: no/such}]}",
        "validation.validators[0].model: no model at no/such; train one with 'specroute train', or remove the key for",
    ),
    (
        "validation: {validators: [{name: verifier, model: ., min_p: 1.5}]}",
        "validation.validators[0].min_p: 1.5 is too large; write 1 or less",
    ),
    (
        "validation: {validators: [{name: safety, webhook: safety.internal/check}]}",
        "validation.validators[0].webhook: not an http or https URL with a host; write for example ",
    ),
    (
        "validation: {validators: [{name: safety, webhook: 'http://me:pass@host/check'}]}",
        "validation.validators[0].webhook: a URL holds no user or password; remove it and use api_key_env or api_key_f",
    ),
    (
        "validation: {validators: [{name: safety, webhook: 'http://169.254.169.254/check'}]}",
        "validation.validators[0].webhook: 169.254.169.254 is a link-local or multicast address; ",
    ),
    (
        "validation: {validators: [{name: complete, webhook: 'http://host/check'}]}",
        "validation.validators[0].name: 'complete' is built in; give your own validator another name",
    ),
    (
        "validation: {validators: [{name: My Check, webhook: 'http://host/check'}]}",
        "validation.validators[0].name: 'My Check' is not a webhook's name; write lower-case letters, digits and '_'",
    ),
    (
        "validation: {validators: [{name: safety, webhook: 'http://host/check', use: 'a:b'}]}",
        "validation.validators[0].use: a webhook and a class at once; keep one",
    ),
    (
        "validation: {validators: [{name: complete, contract: true}]}",
        "validation.validators[0].contract: belongs to a webhook; remove it, or add 'webhook: URL'",
    ),
    (
        "validation: {validators: [{name: complete, timeout: 1s}]}",
        "validation.validators[0].timeout: belongs to a webhook; remove it, or add 'webhook: URL'",
    ),
    (
        "validation: {validators: [{name: safety, webhook: 'http://host/check', timeout: 0s}]}",
        "validation.validators[0].timeout: 0s would end every call at once; write a duration above 0s",
    ),
    (
        "validation: {validators: [{name: consistent, min_stated: 0.5}]}",
        "validation.validators[0].min_stated: belongs to the validator 'confidence'; remove it",
    ),
    ("validation: {validators: [complete, complete]}", "validation.validators[1]: 'complete' is taken; give it a name"),
    (
        "validation: {validators: [{name: complete, use: 'a:b'}]}",
        "validation.validators[0].name: 'complete' is built in; give your own validator another name",
    ),
    (
        "validation: {validators: [{name: own, use: a.b}]}",
        "validation.validators[0].use: 'a.b' names no attribute; write package.module:attribute",
    ),
    (
        "validation: {validators: [{name: complete, leeway: {exponent: 0.5, typical_tokens: 9}}]}",
        "validation.validators[0].leeway: belongs to the validator 'verifier'; remove it",
    ),
    (
        "validation: {validators: [{name: verifier, model: ., leeway: {exponent: 2, typical_tokens: 9}}]}",
        "validation.validators[0].leeway.exponent: 2 is too large; write 1 or less",
    ),
    (
        "validation: {validators: [{name: complete, min_p: 0.5}]}",
        "validation.validators[0].min_p: belongs to the validator 'verifier'; remove it",
    ),
    (
        "validation: {validators: [{name: complete, min_tokens: 5}]}",
        "validation.validators[0].min_tokens: belongs to the validator 'confidence'; remove it",
    ),
    (
        "streaming: {write_stall_timeout: 0s}",
        "streaming.write_stall_timeout: 0s would end every call at once; write a duration above 0s",
    ),
    (
        "streaming: {max_commit_error_ratio: 1.5}",
        "streaming.max_commit_error_ratio: 1.5 is too large; write 1 or less",
    ),
    (
        "validation: {on_abstain: ignore}",
        "validation.on_abstain: unknown value 'ignore'; write one of accept, reject",
    ),
    ("race: {prefer: fastest}", "race.prefer: unknown value 'fastest'; write one of first_valid, cheapest"),
    ("speculation: {max_legs: 0}", "speculation.max_legs: 0 is too small; write 1 or more"),
    ("deadline: {reserve: 60s}", "deadline.reserve: leaves nothing of the default, 60s; write less"),
    ("deadline: {default: 601s}", "deadline.default: is above max, 600s; write at most that, or raise max"),
    ("deadline: {default: 0s}", "deadline.default: 0s would end every call at once; write a duration above 0s"),
    ("limits: {max_in_flight: 0}", "limits.max_in_flight: 0 is too small; write 1 or more"),
    ("limits: {max_in_flight: '9'}", "limits.max_in_flight: '9' is not a whole number; write one without quotes"),
    ("drain: {delay: 5}", "drain.delay: a duration needs a unit; write 5s"),
    ("tls: {cert_file: no.pem}", "tls.cert_file: no readable file at no.pem; give a path relative"),
]


@pytest.mark.parametrize(("text", "expected"), KEYS + TIERS + POLICY)
def test_a_wrong_file_names_line_key_and_mend(text: str, expected: str) -> None:
    assert only_problem(text).startswith(f"specroute.yaml:{expected}")


@pytest.mark.parametrize(("line", "expected"), REST)
def test_a_wrong_section_names_line_key_and_mend(line: str, expected: str) -> None:
    assert only_problem(f"{VALID}{line}\n").startswith(f"specroute.yaml:22: {expected}")


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        ("{cert_file: a.pem}", "key_file: missing; a certificate needs its key"),
        ("{key_file: a.pem}", "cert_file: missing; a key needs its certificate"),
        ("{client_ca_file: a.pem}", "client_ca_file: client certificates need TLS; add cert_file and key_file"),
    ],
)
def test_certificate_and_key_go_together(tmp_path: Path, tls: str, expected: str) -> None:
    (tmp_path / "a.pem").write_text("x")

    assert only_problem(f"{VALID}tls: {tls}\n", folder=tmp_path) == f"specroute.yaml:22: tls.{expected}"
