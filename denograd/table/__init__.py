"""Real-world tables: files, and the roles of their columns. Needs pandas; the rest of the library does not."""

from denograd.table.content import unpacked
from denograd.table.errors import Note, TableError
from denograd.table.reading import TableFile, read_table

__all__ = ["Note", "TableError", "TableFile", "read_table", "unpacked"]
