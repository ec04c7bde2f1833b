"""What scoring scripts import: AMLRequest, AMLResponse, rawhttp. Found under the names scripts know by `compat`."""
