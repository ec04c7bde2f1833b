"""HTTP/1.1 as values and bytes: no sockets, no threads, nothing of scoring."""
