"""The data plane: every scoring request passes through here, and nothing else does. Knows only `endpoints.spec`."""
