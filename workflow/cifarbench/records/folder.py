"""The names of the files in a run's folder."""

CHECKPOINT = "checkpoint.pt"
LOG = "train.log"
RECORD = "metrics.json"
WEIGHTS = "weights.safetensors"
PREDICTIONS = "predictions.safetensors"
ADOPTED = "adopted.json"
"""What a known table tells of the test images of a run that was adopted from it."""


PACKED = "packed"
