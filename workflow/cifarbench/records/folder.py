"""The names of the files in a run's folder."""

CHECKPOINT = "checkpoint.pt"
LOG = "train.log"
RECORD = "metrics.json"
WEIGHTS = "weights.safetensors"
PREDICTIONS = "predictions.safetensors"


PACKED = "packed"
