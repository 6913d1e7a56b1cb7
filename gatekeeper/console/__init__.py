"""The console: the review queue in a browser, a view of the topics that writes nothing but acts."""
