"""The only place with sockets: try the system call first, wait only if it would block."""

# The events that a socket is waited for.
READ, WRITE = 1, 2
# The end of a wait that `Transport.interrupted` has ended.
INTERRUPTED = 4
