"""The paths of each resource."""
