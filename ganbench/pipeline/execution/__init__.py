"""What a job needs while it runs."""
