"""Alerts to phones and other targets, commands from Telegram, and metrics; without exchange keys, never in the bot."""
