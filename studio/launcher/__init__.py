"""`slipway up`: starts every process of a studio on one machine and stops them together.

It knows processes, ports and files, not Django: what needs the database runs as a management command.
"""
