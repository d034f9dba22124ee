"""Which collège an address belongs to: `colleges which`, out of the marts and nothing else."""
