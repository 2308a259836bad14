"""Storage: tables, one module of queries a noun, migrations. SQL stays in this room.

Functions take the connection of a transaction that the caller opened: it is opened where the promise is made.
"""
