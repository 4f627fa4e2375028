"""The only place with sockets: try the system call first, wait only if it would block."""

# What a socket can be waited for.
READ, WRITE = 1, 2
