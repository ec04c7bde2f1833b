"""The server that runs beside a user's model: init() once, run() per request, over HTTP.

It needs nothing but Python 3.8 or newer, knows nothing of the project it comes from, and is started as
`python -m <package>` from wherever its folder was copied.
"""

__version__ = "0.1.0"
CONTRACT_VERSION = "azmlinfsrv/1.5.1"  # of the inference server whose behaviour scripts and clients may rely on
