"""Dates as people say them, at the end of a sentence: "by friday", "next week", "in two days"."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
NUMBERS = (
    *("a", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)

_BEFORE = r"(?:(?:by|on|until|till|due|for|before|from)\s+)?"
_COUNT = rf"\d{{1,3}}|an|{'|'.join(NUMBERS)}"
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?" for name in MONTHS)
_TIME = r"(?P<time>\s+at\s+(?:\d{1,2}(?::\d{2})?\s*(?:am|pm|o'clock)?|noon|midnight))?"

#: In order: what is said, and the day that it means, seen from today.
_SAID = {
    r"today|tonight|this (?:morning|afternoon|evening)": lambda today, _said: today,
    r"(?:the )?day after tomorrow": lambda today, _said: today + timedelta(2),
    r"tomorrow(?: (?:morning|afternoon|evening|night))?": lambda today, _said: today + timedelta(1),
    rf"(?:(?P<which>this|next|coming) )?(?P<weekday>{'|'.join(WEEKDAYS)})": lambda today, said: (
        _weekday(today, said["weekday"], said["which"] == "next")
    ),
    r"(?:the |this )?weekend": lambda today, _said: _weekday(today, "saturday"),
    r"next weekend": lambda today, _said: _weekday(today, "saturday", following=True),
    r"next week": lambda today, _said: today + timedelta(7 - today.weekday()),
    r"(?:this week|(?:the )?end of (?:the |this )?week)": lambda today, _said: (
        today + timedelta(6 - today.weekday())
    ),
    r"next month": lambda today, _said: _month_end(today) + timedelta(1),
    r"(?:this month|(?:the )?end of (?:the |this )?month)": lambda today, _said: _month_end(today),
    rf"in (?P<count>{_COUNT}) (?P<unit>day|week|month)s?": lambda today, said: _later(
        today, said["count"], said["unit"]
    ),
    r"(?P<iso>\d{4}-\d{2}-\d{2})": lambda _today, said: date.fromisoformat(said["iso"]),
    rf"(?:the )?(?P<first>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH})": (
        lambda today, said: _in_month(today, said["month"], int(said["first"]))
    ),
    rf"(?P<named>{_MONTH}) (?:the )?(?P<last>\d{{1,2}})(?:st|nd|rd|th)?": lambda today, said: (
        _in_month(today, said["named"], int(said["last"]))
    ),
    r"the (?P<number>\d{1,2})(?:st|nd|rd|th)": lambda today, said: _of_month(
        today, int(said["number"])
    ),
}


def at_end(text: str, today: date) -> tuple[str, date | None]:
    """Take a date off the end of a sentence: what is left, and the day; None when there is none.

    A time of day that follows the date stays in the text.
    """
    for pattern, means in _SAID.items():
        said = re.search(rf"(?:^|(?<=[,\s])){_BEFORE}(?:{pattern}){_TIME}$", text, re.I | re.ASCII)
        if said:
            try:
                day = means(
                    today, {name: word and word.lower() for name, word in said.groupdict().items()}
                )
            except ValueError:  # the 31st of a month that has 30 days
                return text, None
            left = text[: said.start()].rstrip(" ,") + (said["time"] or "")
            return left.strip(" ,"), day
    return text, None


def _weekday(today: date, name: str, following: bool = False) -> date:
    """The next day of that name after today; `following`: the one in next calendar week."""
    number = WEEKDAYS.index(name)
    if following:
        return today + timedelta(7 - today.weekday() + number)
    return today + timedelta((number - today.weekday() - 1) % 7 + 1)


def _month_end(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def _later(today: date, count: str, unit: str) -> date:
    number = int(count) if count.isdecimal() else max(NUMBERS.index(count.removesuffix("n")), 1)
    if unit != "month":
        return today + timedelta(number * (7 if unit == "week" else 1))
    months = today.month - 1 + number
    year, month = today.year + months // 12, months % 12 + 1
    return date(year, month, min(today.day, monthrange(year, month)[1]))


def _in_month(today: date, name: str, number: int) -> date:
    """That day of a month, this year or the next. Raises ValueError when there is no such day."""
    month = [one[:3] for one in MONTHS].index(name[:3]) + 1
    this_year = date(today.year, month, number)
    return this_year if this_year >= today else date(today.year + 1, month, number)


def _of_month(today: date, number: int) -> date:
    """The next day of that number. Raises ValueError when that month has no such day."""
    if number >= today.day:
        return today.replace(day=number)
    return (_month_end(today) + timedelta(1)).replace(day=number)
