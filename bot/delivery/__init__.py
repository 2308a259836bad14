"""Delivery: the outbox's courier: claim, pace, send through a platform's port, act on the Outcome."""
