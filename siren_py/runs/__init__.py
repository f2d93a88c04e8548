"""Runs: chunks of attempts, made by threads, processes or a cluster, kept, resumed and merged."""
