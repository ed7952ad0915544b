"""Lies beside an app and travels with it."""


def louder(text: str) -> str:
    return text.upper() + "!"
