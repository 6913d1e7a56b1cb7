"""Letters to a customer: their words, their paper, and how they are printed. No letter knows name or address."""
