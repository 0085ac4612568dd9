"""What the dashboard in a browser stands on: access file, bots read from their homes, the settings file."""
