"""The companion of one home: alerts and commands from Telegram, wired; and what `doctor` says about them."""
