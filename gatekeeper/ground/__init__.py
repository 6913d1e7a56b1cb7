"""The floor that all stand on: texts, errors, times, settings, log, metrics; nothing of mail or consent."""
