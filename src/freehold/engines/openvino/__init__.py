"""The embedded engine of GGUF models in OpenVINO."""
