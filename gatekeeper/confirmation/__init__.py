"""Confirmation letters that ask a person for consent: text and lint, answer code, and answers (J.8.7)."""
