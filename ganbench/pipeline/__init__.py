"""From a study to its results: plan, jobs, and what runs them."""
