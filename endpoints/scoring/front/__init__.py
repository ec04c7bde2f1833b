"""The process that speaks HTTP for all workers: sockets, ids, health, refusals, and who gets which call.

It never loads the user's script and holds no lock that a worker could keep, so it answers whatever run() is doing.
"""
