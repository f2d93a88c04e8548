"""Files: writers and readers of samples. Units are converted here and nowhere else."""
