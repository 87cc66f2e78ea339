"""The dialects over HTTP, with aiohttp: requests in, the core's answers out."""
