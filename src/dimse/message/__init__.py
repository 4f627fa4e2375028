"""PS3.7, message exchange: command sets, their fragments and the statuses they carry. The code is pure: bytes in, values out."""
