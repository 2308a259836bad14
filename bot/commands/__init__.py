"""Commands: what people can say. One function a command, platform-neutral in and out."""
