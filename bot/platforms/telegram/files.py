"""Files: the text of a document that somebody sent, fetched from Telegram within bounds."""

from telegram import Bot, Document
from telegram.error import TelegramError

from bot.commands.request import LARGEST_FILE, NotFetchedError, text_of
from bot.platforms.telegram.request import AiohttpRequest


async def fetch(bot: Bot, document: Document) -> str:
    """The document's text. Raises NotFetchedError; what Telegram says of the size is believed, and checked again."""
    if (document.file_size or 0) > LARGEST_FILE:
        raise NotFetchedError("too_large")
    request = bot.request
    assert isinstance(request, AiohttpRequest)
    try:
        # https://core.telegram.org/bots/api#getfile
        file = await bot.get_file(document.file_id)
        # A Bot API server that runs beside us may name a path on its disk, which is not ours to read.
        if not (file.file_path or "").startswith(("http://", "https://")):
            raise NotFetchedError("not_fetched")
        content = await request.download(str(file.file_path), LARGEST_FILE + 1)
    except TelegramError:
        raise NotFetchedError("not_fetched") from None
    return text_of(content)
