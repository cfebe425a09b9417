"""What every host of paid models has in common: speaking to it, paying once, bringing the clip here.

Nothing here knows a host's own words, a model or the store: a host is one file in `pipelines`, and the rows
are behind `hosts.PaidCalls`.
"""
