"""Benchmarks: throughput, latency and memory of the service, of a bare ASGI application and of a usual one."""
