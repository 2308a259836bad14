"""The model writer: both languages by any OpenAI-compatible endpoint, within its budgets and past the checks."""
