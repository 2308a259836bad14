"""Discord: slash commands and buttons in, embeds out."""
