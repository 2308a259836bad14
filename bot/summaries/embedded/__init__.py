"""The embedded writer: sentences of the abstract, chosen by learned weights. No key, no network, no Chinese."""
