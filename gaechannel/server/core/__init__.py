"""The server's rules: channels, tokens, sessions and what they hold. Nothing here knows HTTP."""
