"""Translation: a summary's second language by machine, on this machine's processor, without a key."""
