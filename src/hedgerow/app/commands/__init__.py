"""What each command does once its arguments are read; ``cli`` parses and prints."""
