"""PS3.7, message exchange: command sets, their fragments and the statuses they carry. Pure: bytes in, values out."""
