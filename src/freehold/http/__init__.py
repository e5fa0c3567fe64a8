"""Floor 3: requests from outside. Routing, authentication, bodies, headers, streams and error statuses."""
