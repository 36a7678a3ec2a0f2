"""One attempt at one target, without I/O: what is sent, what came back, how it was refused."""
