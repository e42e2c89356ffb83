"""What stored results say: one record a method and a measure, tables, ranks, tests, verdicts, sentences."""
