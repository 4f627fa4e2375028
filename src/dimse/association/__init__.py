"""Associations (PS3.8 and PS3.7): PDUs in and out, messages upon them, and the conversation of two peers."""
