"""What several processes tell each other by Redis, where one is configured."""
