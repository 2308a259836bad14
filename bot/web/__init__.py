"""Web: the HTTP server of the built-in chat: pages, events, health, and who may call them."""
