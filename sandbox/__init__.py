"""What stands in for the world outside: a replay portal, a synthetic sample, an embedded mongod.

Nothing here is needed where there is a real portal and a MongoDB server of one's own.
"""
