"""Statistics of failure and of quality for a handful of seeds: pure functions of numbers.

| module | question |
|---|---|
| `rates` | how often runs fail: intervals of a rate, exact test of a rate against a limit |
| `rate_differences` | whether two rates differ: exact tests of pairs, of independent runs, and within strata |
| `medians` | the median with failed runs counted as worst: exact intervals by order statistics |
| `interquartile` | the interquartile mean: studentised intervals |
| `means` | whether two means differ: t tests of pairs and of independent runs |
| `improvement` | how probably a run of one method beats one of another, and how many runs reach a score |
| `survival` | when runs fail: Kaplan-Meier curves with censored runs, log-rank tests |
| `multiplicity` | many tests at once: the false discovery rate, Bonferroni's bound |
| `sample_sizes` | how many seeds would decide what these did not |
"""
