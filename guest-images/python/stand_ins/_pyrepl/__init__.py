"""Stands in for CPython's interactive console, of which only pydoc's pager is used here."""
