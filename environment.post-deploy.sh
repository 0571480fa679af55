# Snakemake runs this in the environment that it makes of environment.yml, under `--software-deployment-method conda`.
pip install --no-deps --editable .
