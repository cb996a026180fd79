"""Reads the files of a CSV export with Python's csv, each field by the type its column's name declares; prints rows by file as JSON."""
import csv
import datetime
import json
import pathlib
import sys

csv.field_size_limit(sys.maxsize)


def boolean(text):
    return {"true": True, "false": False}[text]


def moment(text):
    return datetime.datetime.fromisoformat(text).isoformat()


readers = {"int": int, "long": int, "double": float, "boolean": boolean, "datetime": moment, "string": str}


def value(column, text):
    kind = column.rsplit(":", 1)[1]
    if kind.startswith(("ID(", "START_ID(", "END_ID(")) or kind in ("LABEL", "TYPE"):
        return text
    if kind.endswith("[]"):
        return [readers[kind[:-2]](item) for item in text.split(";")] if text else None
    # The csv module does not tell an empty text from a missing one.
    return readers[kind](text) if text else None


files = {}
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file, strict=True)
    assert all(len(row) == len(header) for row in rows), path
    files[path.name] = [dict((column, value(column, text)) for column, text in zip(header, row)) for row in rows]
print(json.dumps(files))
