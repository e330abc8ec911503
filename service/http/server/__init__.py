"""The HTTP/1.1 server: uvicorn's protocol with limits, and problem documents for requests that it refuses."""
