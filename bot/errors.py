"""The errors that a person is told about in one line."""


class PaperwireError(Exception):
    """Something that Paperwire cannot go on without; the text says what, and what to do."""
