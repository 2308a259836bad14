"""Incoming: what people say, press and point at in Discord, in words that no platform owns."""

import re
from functools import partial

import discord

from bot.commands.request import Fetch, Hearing, Incoming, Role, Sender, Venue, always
from bot.papers import find_linked_ids

_MENTION = re.compile(r"<@!?\d+>", re.A)


def of_interaction(
    interaction: discord.Interaction, admin_role: str, text: str = "", action: str = "", file: Fetch | None = None
) -> Incoming:
    """What somebody said or pressed. Administrators are those who may manage the server, or have the `admin_role`."""
    guild, user = interaction.guild, interaction.user

    async def manages_server() -> bool:
        return interaction.permissions.manage_guild or (isinstance(user, discord.Member) and has_role(user, admin_role))

    return Incoming(
        platform="discord",
        address=str(interaction.channel_id),
        title=f"{guild.name}#{getattr(interaction.channel, 'name', '')}" if guild else user.display_name,
        is_group=guild is not None,
        sender=Sender(
            id=str(user.id),
            name=user.display_name,
            language=str(interaction.locale),
            is_admin=manages_server if guild else always,
        ),
        text=text,
        action=action,
        file=file,
        venue=Venue(_mentions, partial(_role, guild, interaction.app_permissions)) if guild else Venue(),
    )


def has_role(member: discord.Member, role: str) -> bool:
    """Whether somebody has a role of this id or name. What an interaction tells of its sender is enough for that."""
    return bool(role) and any(role in (str(each.id), each.name) for each in member.roles if not each.is_default())


def of_message(message: discord.Message, bot_id: int) -> Incoming | None:
    """What somebody wrote to the bot alone, or a message with a link to a paper that mentions it; None for the rest.

    Of others Discord gives no content to a bot without a privileged intent, nor do we listen to bots and webhooks:
    https://docs.discord.com/developers/events/gateway#message-content-intent
    """
    author, guild = message.author, message.guild
    if author.bot or message.webhook_id is not None:
        return None
    text = _MENTION.sub(" ", message.content).strip()
    is_for_us = any(bot_id == each.id for each in message.mentions) and any(find_linked_ids(text))
    if not text or (guild is not None and not is_for_us):
        return None
    return Incoming(
        platform="discord",
        address=str(message.channel.id),
        title=f"{guild.name}#{getattr(message.channel, 'name', '')}" if guild else author.display_name,
        is_group=guild is not None,
        sender=Sender(str(author.id), author.display_name, is_admin=_never if guild else always),
        text=text,
        overheard=guild is not None,
    )


def content_of(message: discord.Message) -> str:
    """All of a message that may name papers: its text, and what its embeds lead to."""
    return "\n".join([message.content, *(embed.url for embed in message.embeds if embed.url)])


async def _mentions() -> Hearing:
    return "mentions"


async def _never() -> bool:
    """What is overheard changes nothing, whoever said it."""
    return False


def _role(guild: discord.Guild, granted: discord.Permissions, number: str) -> Role | None:
    """A role of this server; everyone is none. https://docs.discord.com/developers/resources/message#allowed-mentions-object"""
    role = guild.get_role(int(number))
    if role is None or role.is_default():
        return None
    return Role(role.name, role.mentionable or granted.mention_everyone)
