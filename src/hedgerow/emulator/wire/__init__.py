"""Aster's REST and WebSocket protocol over emulated worlds, written from the venue's documents.

Nothing here does I/O: a request gives an answer, frames give frames. ``memory`` serves a client in the same process
under any clock; ``server`` serves the same routers on sockets. It never imports the live client, whose reading of the
documents it is there to question.
"""
