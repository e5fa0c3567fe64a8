"""What an engine does with a model on this machine: measured, compared and remembered."""
