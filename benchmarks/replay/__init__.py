"""Replay: days of captured feeds through the whole system, in simulated time, against the stub servers."""
