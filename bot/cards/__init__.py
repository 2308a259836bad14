"""Cards: how a Paper looks, before any platform draws it."""
