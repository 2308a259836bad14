"""What SQLite and PostgreSQL both can, spell almost alike, and SQLAlchemy keeps apart."""

from typing import cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert(dialect: str, table: sa.Table) -> sqlite.Insert:
    """An INSERT for this kind of database, with `on_conflict_do_nothing`, `on_conflict_do_update`, `excluded`."""
    if dialect == "postgresql":
        return cast("sqlite.Insert", postgresql.insert(table))
    return sqlite.insert(table)


def pairs(dialect: str, parameter: str) -> sa.TableValuedAlias:
    """A parameter that is a dictionary, as a table of its keys and values, both texts.

    One parameter however many they are: the statement stays the same, and neither it nor its plan is made anew.
    """
    split = sa.func.json_each_text if dialect == "postgresql" else sa.func.json_each
    columns = sa.column("key", sa.Text), sa.column("value", sa.Text)
    return split(sa.bindparam(parameter, type_=sa.JSON)).table_valued(*columns, name=parameter)


def is_among(column: sa.ColumnElement[int], dialect: str, numbers: list[int]) -> sa.ColumnElement[bool]:
    """Whether a column is one of these numbers, likewise in one parameter."""
    split = sa.func.json_array_elements_text if dialect == "postgresql" else sa.func.json_each
    listed = split(sa.literal(numbers, sa.JSON)).table_valued(sa.column("value", sa.Text), name="listed")
    return column.in_(sa.select(listed.c.value.cast(sa.Integer)))
