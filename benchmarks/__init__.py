"""Speed and memory, measured side by side on the machine at hand; `python -m benchmarks.bench` runs them."""
