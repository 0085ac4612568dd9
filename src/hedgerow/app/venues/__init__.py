"""Connects a bot to its venue: live, dry run, paper, or in lockstep with an emulator."""
