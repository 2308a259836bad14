"""The toy translation model of tests/data/tinymt: made for these tests, in the form of Firefox's models.

It knows some 500 sentences such as "We release code for drug discovery." and copies no sign that it never saw.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any

from bot.config import Translation
from bot.summaries.translation.models import RECORD, FileRecord, Record, written

TOY = Path(__file__).parent / "data" / "tinymt" / "en-zh"
MODEL, SOURCE, TARGET = "model.enzh.intgemm.alphas.bin", "srcvocab.enzh.spm", "trgvocab.enzh.spm"

SENTENCES = {
    "We propose a new method for image classification.": "我们提出了一种用于图像分类的新方法。",
    "We release code for drug discovery.": "我们发布了药物发现的代码。",
    "Our model improves text summarization.": "我们的模型改进了文本摘要。",
    "This paper presents a survey of dark matter.": "本文综述了暗物质。",
    "We study the theory of medical imaging.": "我们研究了医学影像的理论。",
}


def put_model(folder: Path, version: str = "3.0", pair: str = "en-zh", has_record: bool = True) -> Path:
    """The toy as `<folder>/<pair>/`, in place of what was there; with a record of what it holds."""
    home = folder / pair
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    for path in TOY.iterdir():
        shutil.copy(path, home / path.name.replace("enzh", pair.replace("-", "")))
    if has_record:
        put_record(home, version, pair)
    return home


def put_record(home: Path, version: str = "3.0", pair: str = "en-zh") -> None:
    """The record of the files that are there now."""
    files = tuple(
        FileRecord(name=path.name, sha256=digest(path), size=path.stat().st_size)
        for path in sorted(home.iterdir())
        if path.name != RECORD
    )
    (home / RECORD).write_text(written(Record(pair=pair, version=version, files=files)), "utf-8")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def settings(folder: Path, **values: Any) -> Translation:
    """Of a translation whose models are under `folder`."""
    return Translation(folder=folder, **values)
