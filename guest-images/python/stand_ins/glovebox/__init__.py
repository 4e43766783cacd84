"""What Glovebox offers to programs beyond Python: `from glovebox import media` for audio and video."""
