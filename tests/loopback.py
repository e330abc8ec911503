"""Requests to servers on this machine, without the 10 ms and more in which httpx reads certificates each time."""

import ssl
from functools import partial
from typing import Final

import httpx

_NO_CERTIFICATES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Client = partial(httpx.Client, verify=_NO_CERTIFICATES)
get = partial(httpx.get, verify=_NO_CERTIFICATES)
post = partial(httpx.post, verify=_NO_CERTIFICATES)
put = partial(httpx.put, verify=_NO_CERTIFICATES)
