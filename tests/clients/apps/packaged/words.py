"""Travels with its package."""

separator = " and "
