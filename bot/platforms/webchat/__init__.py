"""Web chat: the built-in chat service, kept in our own tables; no token needed."""
