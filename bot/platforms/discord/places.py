"""Places: the channels and threads of a server, and in which of them the bot may write."""

from collections.abc import Iterator

import discord

Place = discord.abc.GuildChannel | discord.Thread


def may_write(place: Place) -> bool:
    """Whether the bot may put a digest there: see the place, write, and show embeds."""
    try:
        granted = place.permissions_for(place.guild.me)
    except discord.ClientException:  # a thread in a channel that it cannot see
        return False
    if isinstance(place, discord.Thread):
        writes = granted.send_messages_in_threads and not place.archived and not place.locked
    else:
        writes = granted.send_messages
    return writes and granted.view_channel and granted.embed_links


def places(guild: discord.Guild) -> Iterator[Place]:
    """All of a server's that the bot knows of."""
    yield from guild.channels
    yield from guild.threads


def addresses(guild: discord.Guild) -> list[str]:
    """The same, as chats are known by."""
    return [str(place.id) for place in places(guild)]
