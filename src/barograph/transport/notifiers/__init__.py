"""Ways to tell somebody of something: `ports.notifier.Notifier`."""
