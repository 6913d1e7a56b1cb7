"""Decides whether one send may go out, and gives the reasons; pure."""
