"""Firefox's translation models on this machine's processor (fxtranslate), in a thread of their own."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import structlog

from bot.clock import Clock
from bot.config import Translation
from bot.summaries.translation import models
from bot.summaries.translation.fetch import ensure_model
from bot.summaries.translation.glossary import load
from bot.summaries.translation.models import Model, ModelError
from bot.summaries.translation.text import LONGEST, Say, translated

LONGEST_WORK = 30.0
"""Seconds for one text. An abstract takes about one."""

_GRACE = 5.0
"""Seconds beyond that for the sentence that is being said, before the thread is taken for stuck."""

_SENTENCES_KEPT = 2_048
"""A TLDR and takeaways are often sentences of the abstract, which need not be said twice."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Loaded:
    model: Model
    say: Say


class FirefoxTranslator:
    """Translates one text after the other, whoever asks; the event loop goes on.

    A Translator of fxtranslate may be used by none but the thread that made it: a pool of one thread makes it and uses
    it, and drops it when it ends. Each text looks whether the model was replaced. Raises GlossaryError at once.
    """

    def __init__(self, settings: Translation, clock: Clock, longest_work: float = LONGEST_WORK) -> None:
        self._settings = settings
        self._clock = clock
        self._fetching: asyncio.Task[object] | None = None
        self._glossary = load(settings.to, settings.glossary)
        self._longest_work = longest_work
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="translation")
        self._loaded: _Loaded | None = None
        self._unfit: tuple[Model, str] | None = None
        self._fault: str | None = None

    @property
    def name(self) -> str | None:
        """The model that is in use, such as `firefox en-zh 3.0`; None: none yet."""
        return self._loaded.model.name if self._loaded else None

    @property
    def is_ready(self) -> bool:
        """Whether a model is there whose files look as they should."""
        try:
            models.find(self._settings.folder, self._settings.to, self._settings.pins)
        except ModelError:
            return False
        return self._unfit is None or self._loaded is not None

    @property
    def fault(self) -> str | None:
        """Why there is no model, or why one that was put in its place is not used: key, file and fix in one line."""
        return self._fault

    async def translate(self, texts: Sequence[str]) -> list[str | None]:
        """Each text's translation; None where there is no model, or it did not come out faithfully and in time."""
        return [await self._one(text) for text in texts]

    def need(self) -> None:
        """Begin to fetch the model, if nobody is at it; it goes on beside everything else.

        Where it may not be fetched that is logged once.
        """
        if self._fetching is None or (self._fetching.done() and self._settings.download):
            self._fetching = asyncio.create_task(ensure_model(self._settings, self._clock))

    async def close(self) -> None:
        """Let the model go, in its thread."""
        loop = asyncio.get_running_loop()
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
        try:
            async with asyncio.timeout(_GRACE):
                await loop.run_in_executor(self._thread, self._forget)
        except TimeoutError:
            log.warning("translation.stuck")
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _one(self, text: str) -> str | None:
        if not text.strip() or len(text) > LONGEST:
            return None
        async with self._turn:
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(self._longest_work + _GRACE):
                    return await loop.run_in_executor(self._thread, self._work, text)
            except TimeoutError:
                log.warning("translation.stuck", characters=len(text))
                return None

    # What follows runs in the thread. No error may leave it: with it would go the frames that hold the engine, to be
    # dropped in another thread.

    def _work(self, text: str) -> str | None:
        try:
            return self._translated(text)
        except ModelError as error:
            self._tell(str(error))
            return None

    def _tell(self, fault: str) -> None:
        if self._fault != fault:
            self._fault = fault
            log.warning("translation.unusable", reason=fault)

    def _translated(self, text: str) -> str | None:
        started = time.monotonic()
        loaded = self._current()
        late_at = time.monotonic() + self._longest_work
        found = translated(text, loaded.say, self._glossary, self._settings.to, lambda: time.monotonic() > late_at)
        seconds = round(time.monotonic() - started, 3)
        log.debug("translation.done", characters=len(text), seconds=seconds, is_faithful=found is not None)
        return found

    def _current(self) -> _Loaded:
        """The model as it lies in its folder. While another one is not fit for use, the one in memory goes on."""
        try:
            model = models.find(self._settings.folder, self._settings.to, self._settings.pins)
            if self._loaded is None or self._loaded.model != model:
                self._loaded = self._load(model)
                log.info("translation.model", name=model.name, megabytes=round(model.size / 1024**2, 1))
            self._fault = None
        except ModelError as error:
            if self._loaded is None:
                raise
            self._tell(str(error))
        return self._loaded

    def _load(self, model: Model) -> _Loaded:
        if self._unfit and self._unfit[0] == model:
            raise ModelError(self._unfit[1])
        from fxtranslate import Translator  # 4 MB of native code, which only a process that translates needs

        try:
            content = models.read(model, self._settings.pins)
            try:
                # No lexical shortlist: with one, en-zh gets worse.
                engine = Translator(content.model, content.source_vocabulary, content.target_vocabulary)
            except BaseException as error:  # its panics are no Exceptions, and must not end the event loop
                what = f"{type(error).__name__}: {str(error)[:200]}"
                raise ModelError(
                    f"[translation] folder: {model.folder} is no model that fxtranslate reads ({what}). {models.FIX}"
                ) from None
        except ModelError as error:
            self._unfit = (model, str(error))
            raise
        return _Loaded(model, lru_cache(_SENTENCES_KEPT)(lambda sentence: self._say(engine.translate_long, sentence)))

    def _say(self, translate: Say, sentence: str) -> str:
        try:
            # Not `translate`, which leaves out what is longer than its window.
            return translate(sentence)
        except BaseException as error:  # see above
            self._loaded = None
            raise ModelError(
                f"[translation] folder: {self._settings.folder} failed at a sentence ({type(error).__name__}). "
                f"{models.FIX}, if that repeats."
            ) from None

    def _forget(self) -> None:
        self._loaded = None
