"""Web: the HTTP server: the web chat's pages and events, webhooks, health and metrics, and who may call them."""
