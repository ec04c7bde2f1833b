"""Local endpoints: `slipway … --local` on a machine where no studio runs.

The same documents, builders and backends as in a studio, with a folder of small records instead of a database. There is
no gateway here, so callers reach an instance directly: without keys and without a split. Knows no Django.
"""
