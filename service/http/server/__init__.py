"""The HTTP/1.1 server: uvicorn's protocol with limits, and with problem documents for what it refuses itself."""
