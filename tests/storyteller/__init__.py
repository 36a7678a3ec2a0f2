"""A model that tells what it was told, behind each of the APIs that providers have.

`model` decides what is answered; one module for each wire reads a request as strictly as the provider does,
and writes the answer, whole or streamed.
"""
