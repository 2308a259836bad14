"""Zones: the IANA time zone that somebody means who names a city, an offset, or nearly a zone."""

import re
from difflib import get_close_matches
from functools import cache
from zoneinfo import available_timezones

from babel import Locale

# Cities that people name and the database of zones does not have, in both languages.
_CITIES = {
    "Asia/Shanghai": "beijing shenzhen guangzhou hangzhou nanjing wuhan chengdu xian china cst 北京 深圳 广州 杭州 "
    "南京 武汉 成都 西安 天津 中国 北京时间",
    "Asia/Taipei": "台北 台湾",
    "Asia/Hong_Kong": "hongkong hk 香港",
    "Asia/Tokyo": "japan kyoto osaka 日本 东京",
    "Asia/Seoul": "korea daejeon 韩国",
    "Asia/Kolkata": "india delhi new_delhi mumbai bangalore bengaluru hyderabad chennai",
    "America/New_York": "boston washington princeton pittsburgh philadelphia atlanta est et eastern 波士顿 华盛顿",
    "America/Chicago": "austin houston dallas ct central",
    "America/Los_Angeles": "san_francisco seattle stanford berkeley san_diego pst pt pacific 旧金山 西雅图",
    "America/Toronto": "montreal waterloo ottawa",
    "Europe/London": "uk oxford cambridge edinburgh england 英国",
    "Europe/Zurich": "geneva cern lausanne switzerland",
    "Europe/Berlin": "munich heidelberg hamburg germany cet 德国 慕尼黑",
    "Europe/Paris": "france saclay grenoble lyon 法国",
    "Europe/Amsterdam": "netherlands delft leiden utrecht",
    "Asia/Jerusalem": "israel haifa tel_aviv",
    "Australia/Sydney": "canberra",
}
# Offsets that are no whole hours, with a zone that has them without daylight saving.
_ODD_OFFSETS = {
    "+03:30": "Asia/Tehran",
    "+04:30": "Asia/Kabul",
    "+05:30": "Asia/Kolkata",
    "+05:45": "Asia/Kathmandu",
    "+06:30": "Asia/Yangon",
    "+08:45": "Australia/Eucla",
    "+09:30": "Australia/Darwin",
    "-09:30": "Pacific/Marquesas",
}
_OFFSET = re.compile(r"(?:utc|gmt)?\s*([+-])(\d{1,2})(?::?(\d{2}))?")
_LAST_HOURS = {"+": 14, "-": 12}


def find_zone(text: str) -> str | None:
    """The IANA name of the zone that a text means: `Asia/Shanghai`, `beijing`, `上海`, `UTC+8`."""
    wanted = _plain(text)
    return _of_offset(wanted.replace("_", "")) or _names().get(wanted)


def nearest_zone(text: str) -> str | None:
    """The zone that somebody may have meant whom we do not understand."""
    close = get_close_matches(_plain(text), _names(), 1)
    return _names()[close[0]] if close else None


def _plain(text: str) -> str:
    return re.sub(r"\s+", "_", text.strip().lower())


def _of_offset(text: str) -> str | None:
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    sign, hours, minutes = match[1], int(match[2]), match[3] or "00"
    if minutes != "00":
        return _ODD_OFFSETS.get(f"{sign}{hours:02}:{minutes}")
    if hours > _LAST_HOURS[sign]:
        return None
    # POSIX counts the other way round: Etc/GMT-8 is eight hours ahead (https://en.wikipedia.org/wiki/Tz_database#Area).
    return f"Etc/GMT{'-' if sign == '+' else '+'}{hours}" if hours else "UTC"


@cache
def _names() -> dict[str, str]:
    """Every name of a zone, the zones' own last, so that nothing takes their place."""
    zones = sorted(available_timezones())
    chinese = Locale.parse("zh_Hans_CN").time_zones
    return {
        **{_plain(name["city"]): zone for zone, name in chinese.items() if "city" in name and zone in zones},
        **{zone.rpartition("/")[2].lower(): zone for zone in zones},
        **{city: zone for zone, cities in _CITIES.items() for city in cities.split()},
        **{zone.lower(): zone for zone in zones},
    }
